import { parseFrame } from '../../../src/relay/reference/frame.ts';
import { ReferenceRelay } from '../../../src/relay/reference/relay.ts';
import type { Emission } from '../../../src/relay/reference/forwarding.ts';
import { conformance } from '../../kit/relay/conformance.ts';
import type { Harness } from '../../kit/relay/conformance/bench.ts';

conformance('reference', async (): Promise<Harness> => {
  let told: Emission[] = [];
  let now = 0n;
  const relay = new ReferenceRelay(
    () => now,
    (emission) => told.push(emission),
  );
  const sorted = (left: readonly Emission[]) => {
    const out = new Map<string, Uint8Array[]>();
    for (const { port: by, frame } of [...told, ...left]) {
      const where = by ?? 'host';
      const seen = by === null ? parseFrame(frame)!.untagged : frame;
      out.set(where, [...(out.get(where) ?? []), seen]);
    }
    told = [];
    return out;
  };
  return {
    relay,
    apply: (state) => relay.apply(state),
    exchange: async (port, ...frames) =>
      sorted(frames.flatMap((frame) => relay.receive(port, frame, (now += 1000n)))),
    exchangeSuper: async (port, frame, size) =>
      sorted(relay.receive(port, frame, (now += 1000n), Math.ceil(frame.length / size))),
    setMtu: async (port, mtu) => relay.setMtu(port, mtu),
    pass: async (seconds) => {
      now += BigInt(seconds) * 1_000_000_000n;
    },
    close: async () => relay.close(),
  };
});
