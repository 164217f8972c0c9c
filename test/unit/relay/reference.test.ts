import { ReferenceRelay, type Emission } from '../../../src/relay/reference/relay.ts';
import { conformance } from './conformance.ts';
import type { Harness } from './conformance/bench.ts';

conformance('reference', async (): Promise<Harness> => {
  let told: Emission[] = [];
  let now = 0n;
  const relay = new ReferenceRelay(
    () => now,
    (emission) => told.push(emission),
  );
  return {
    relay,
    apply: (state) => relay.apply(state),
    exchange: async (port, ...frames) => {
      const out = new Map<string, Uint8Array[]>();
      const left = frames.flatMap((frame) => relay.receive(port, frame, (now += 1000n)));
      for (const emission of [...told, ...left])
        out.set(emission.port, [...(out.get(emission.port) ?? []), emission.frame]);
      told = [];
      return out;
    },
    exchangeSuper: async (port, frame, size) => {
      const out = new Map<string, Uint8Array[]>();
      const segments = Math.ceil(frame.length / size);
      for (const emission of relay.receive(port, frame, (now += 1000n), segments))
        out.set(emission.port, [...(out.get(emission.port) ?? []), emission.frame]);
      return out;
    },
    setMtu: async (port, mtu) => relay.setMtu(port, mtu),
    pass: async (seconds) => {
      now += BigInt(seconds) * 1_000_000_000n;
    },
    close: async () => relay.close(),
  };
});
