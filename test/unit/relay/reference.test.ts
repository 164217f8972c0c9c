import { parseFrame } from '../../../src/relay/reference/frame.ts';
import { ReferenceRelay } from '../../../src/relay/reference/relay.ts';
import { conformance } from './conformance.ts';
import type { Harness } from './conformance/bench.ts';

conformance('reference', async (): Promise<Harness> => {
  const relay = new ReferenceRelay();
  let now = 0n;
  return {
    relay,
    apply: (state) => relay.apply(state),
    exchange: async (port, ...frames) => {
      const out = new Map<string, Uint8Array[]>();
      for (const frame of frames)
        for (const { port: by, frame: left } of relay.receive(port, frame, (now += 1000n))) {
          const where = by ?? 'host';
          const seen = by === null ? parseFrame(left)!.untagged : left;
          out.set(where, [...(out.get(where) ?? []), seen]);
        }
      return out;
    },
    pass: async (seconds) => {
      now += BigInt(seconds) * 1_000_000_000n;
    },
    close: async () => relay.close(),
  };
});
