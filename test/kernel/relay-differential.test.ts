import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import * as fc from 'fast-check';
import { ReferenceRelay } from '../../src/relay/reference/relay.ts';
import type { Emission } from '../../src/relay/reference/forwarding.ts';
import type { RelayCounters, RelayState } from '../../src/relay/contract/relay.ts';
import { aimed, type Aim, type Arrival } from '../kit/relay/aim.ts';
import { anyAim, anyArrival, anyState, portNames, forRealLinks } from '../kit/relay/arbitrary.ts';
import { macOf, network, state, station } from '../kit/relay/states.ts';
import { plain } from '../kit/relay/frames.ts';
import { compareRelays } from './differential.ts';
import { KernelSwitch } from '../kit/kernel/relay-harness.ts';

const hours = 3600n * 10n ** 10n;

/** A frame that the switch's stack hears at a link that is no port, which the reference knows nothing of. */
const atNoPort: [RelayState, [Arrival, Aim][]][] = [
  [
    state({ s1: station, n1: network(null, 20) }),
    [
      [
        { port: 'n2', frame: plain('33:33:00:00:00:01', macOf(3), 'no port', 20) },
        { sender: null, vid: 0, receiver: null },
      ],
    ],
  ],
];

const exchanges = fc.array(fc.tuple(anyArrival, anyAim), { minLength: 1, maxLength: 20 });

describe('the eBPF relay against the reference', () => {
  it('does the same with 10,000 random frames, to the octet, and counts the same', async (t) => {
    const seed = Date.now() % 1_000_000_000;
    t.diagnostic(`seed ${seed}`);
    assert.ok((await compareRelays(10_000, seed)) >= 10_000);
  });

  describe('over real links', () => {
    let kernel: KernelSwitch;
    before(async () => {
      kernel = await KernelSwitch.open(portNames);
    });
    after(() => kernel.close());

    it('sends the same frames, to the octet, and counts the same', async () => {
      const states = anyState(kernel.relay.capabilities).map(forRealLinks);
      const episodes = fc.array(fc.tuple(states, exchanges), { minLength: 1, maxLength: 3 });
      await fc.assert(
        fc.asyncProperty(episodes, async (episodes) => {
          let now = 0n;
          const reference = new ReferenceRelay(() => now);
          kernel.now = () => process.hrtime.bigint() + hours; // so that late frames come in time, however slow this is
          kernel.apply(state({}));
          for (const [desired, frames] of episodes) {
            reference.apply(desired);
            kernel.apply(desired);
            for (const [arrival, aim] of frames) {
              const { port, frame } = aimed(desired, arrival, aim);
              const out = await kernel.exchange(port, frame);
              if (!desired.ports.has(port)) out.delete('host'); // the kernel's own as long as it is no port
              const got = [...out].flatMap(([port, list]) => list.map((frame) => text({ port, frame })));
              const wanted = reference.receive(port, frame, (now += 1000n)).map(text);
              assert.deepEqual(got.sort(), wanted.sort(), `after ${text({ port, frame })}`);
            }
            assert.deepEqual(withoutTimes(kernel.relay.counters()), withoutTimes(reference.counters()));
          }
        }),
        { numRuns: 30, endOnFailure: true, examples: [[atNoPort]] },
      );
    });
  });
});

function text({ port, frame }: Emission): string {
  return `${port} ${Buffer.from(frame).toString('hex')}`;
}

function withoutTimes({ ports, vsis, strangers }: RelayCounters) {
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
