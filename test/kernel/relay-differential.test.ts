import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import * as fc from 'fast-check';
import { ReferenceRelay } from '../../src/relay/reference/relay.ts';
import type { RelayCounters } from '../../src/relay/relay.ts';
import { anyFrame, timelessState } from '../unit/relay/arbitrary.ts';
import { state } from '../unit/relay/states.ts';
import { KernelSwitch } from './relay-harness.ts';

const exchanges = fc.array(anyFrame, { minLength: 1, maxLength: 20 });
const episodes = fc.array(fc.tuple(timelessState, exchanges), { minLength: 1, maxLength: 3 });

describe('the eBPF relay against the reference', () => {
  let kernel: KernelSwitch;
  before(async () => {
    kernel = await KernelSwitch.open(['s1', 's2', 's3', 'n1', 'n2', 'm1']);
  });
  after(() => kernel.close());

  it('does the same with any frame in any state, to the octet, and counts the same', async () => {
    await fc.assert(
      fc.asyncProperty(episodes, async (episodes) => {
        const reference = new ReferenceRelay();
        kernel.apply(state({}));
        let now = 0n;
        for (const [desired, frames] of episodes) {
          reference.apply(desired);
          kernel.apply(desired);
          for (const { port, frame } of frames) {
            const out = await kernel.exchange(port, frame);
            const got = [...out].flatMap(([port, list]) => list.map((frame) => text({ port, frame })));
            assert.deepEqual(
              got.sort(),
              reference
                .receive(port, frame, (now += 1000n))
                .map(text)
                .sort(),
            );
          }
          assert.deepEqual(timeless(kernel.relay.counters()), timeless(reference.counters()));
        }
      }),
      { numRuns: 60, endOnFailure: true },
    );
  });
});

function text({ port, frame }: { port: string; frame: Uint8Array }): string {
  return `${port} ${Buffer.from(frame).toString('hex')}`;
}

/** The counters without their times. */
function timeless({ ports, vsis, strangers }: RelayCounters) {
  return {
    ports,
    vsis: new Map(
      Array.from(vsis, ([id, places]) => [
        id,
        new Map(Array.from(places, ([port, it]) => [port, { ...it, firstFrame: null, lastFrame: null }])),
      ]),
    ),
    strangers: strangers
      .map(({ port, mac, wireVid, frames }) => `${port} ${mac} ${wireVid} ${frames}`)
      .sort(),
  };
}
