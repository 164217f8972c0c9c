import assert from 'node:assert/strict';
import { isDeepStrictEqual, parseArgs } from 'node:util';
import * as fc from 'fast-check';
import type { VsiId } from '../../src/domain/vsi-id.ts';
import { notGso, type Gso } from '../../src/linux/bpf/test-run.ts';
import { parseFrame } from '../../src/relay/reference/frame.ts';
import { ReferenceRelay } from '../../src/relay/reference/relay.ts';
import type { Emission } from '../../src/relay/reference/forwarding.ts';
import type { Relay, RelayCounters, RelayState } from '../../src/relay/contract/relay.ts';
import { aimed, type Aim, type Arrival } from '../kit/relay/aim.ts';
import { anyAim, anyArrival, portNames } from '../kit/relay/arbitrary.ts';
import { state } from '../kit/relay/states.ts';
import { anyHeir, inherit } from '../kit/relay/succession.ts';
import { Recorder } from '../kit/kernel/recorder.ts';
import { KernelSwitch } from '../kit/kernel/relay-harness.ts';

/**
 * ns from a frame to the next: none at all, and enough for a bucket to fill, or for an address or a router to be forgotten;
 * below 0: another CPU was faster
 */
const gaps = [0, -300, 1000, 50_000, 1_000_000, 8_000_000, 400_000_000, 4_000_000_000];
const longGap = 9_000_000_000_000;
/** super-frames are as many as others, so that buckets meet them */
const anyGso: fc.Arbitrary<Gso> = fc.oneof(
  { arbitrary: fc.constant(notGso), weight: 4 },
  {
    arbitrary: fc
      .tuple(fc.constantFrom(1, 8, 20, 1448), fc.constantFrom(0, 0, 2, 45))
      .map(([size, segments]) => ({ size, segments })),
    weight: 1,
  },
);
const mostFrames = 400; // in a state: changing it is what takes time
const framesPerCheck = 10_000;
const mostTime = 120_000; // for the smallest difference to be found in

type Step = readonly [gap: number, arrival: Arrival, aim: Aim, gso: Gso];
type Episode = readonly [RelayState, readonly Step[]];

/**
 * Random frames through random states, into the eBPF relay and the reference at the same moments: what leaves must be the
 * same to the octet, and the counters to the nanosecond. @throws what fast-check says of the smallest difference
 */
export async function compareRelays(frames: number, seed: number): Promise<number> {
  const kernel = await KernelSwitch.open(portNames);
  try {
    return kernel.inside(() => compareInside(kernel, frames, seed));
  } finally {
    await kernel.close();
  }
}

function compareInside(kernel: KernelSwitch, frames: number, seed: number): number {
  const recorder = new Recorder(kernel, portNames);
  try {
    const anyGap = fc.oneof(
      { arbitrary: fc.constantFrom(...gaps), weight: 200 },
      { arbitrary: fc.constant(longGap), weight: 1 },
    );
    const steps = fc.array(fc.tuple(anyGap, anyArrival, anyAim, anyGso), {
      minLength: 1,
      maxLength: mostFrames,
      size: 'max',
    });
    const heirs = anyHeir(kernel.relay.capabilities);
    const episodes = fc.array(fc.tuple(heirs, steps), { minLength: 1, maxLength: 3, size: 'max' });
    let now = process.hrtime.bigint();
    kernel.now = () => now;
    const done = { frames: 0 };
    const property = fc.property(episodes, (episodes) => {
      kernel.apply(state({}));
      const reference = new ReferenceRelay(() => now);
      let held: RelayState | null = null;
      for (const [heir, steps] of episodes) {
        held = inherit(held, heir);
        now = compareEpisode(kernel, recorder, reference, [held, steps], now);
        done.frames += steps.length;
      }
    });
    for (let round = 0; done.frames < frames; round++) {
      const numRuns = Math.ceil(Math.min(framesPerCheck, frames - done.frames) / mostFrames);
      fc.assert(property, { seed: seed + round, numRuns, skipAllAfterTimeLimit: mostTime });
    }
    return done.frames;
  } finally {
    recorder.close();
  }
}

function compareEpisode(
  kernel: KernelSwitch,
  recorder: Recorder,
  reference: ReferenceRelay,
  [desired, steps]: Episode,
  start: bigint,
): bigint {
  kernel.apply(desired);
  reference.apply(desired);
  const before = [ruleFramesOf(kernel.relay, desired), ruleFramesOf(reference, desired)] as const;
  let now = start;
  for (const [gap, arrival, aim, gso] of steps) {
    const { port, frame } = aimed(desired, arrival, aim);
    now += BigInt(gap);
    const got = recorder.receive(port, frame, now, gso);
    const wanted = reference.receive(port, frame, now, segmentsOf(frame, gso));
    assert.deepEqual(texts(got), texts(wanted), `after ${hex(frame)} into ${port}`);
  }
  assert.deepEqual(inOrder(kernel.relay.counters()), inOrder(reference.counters()));
  const after = [ruleFramesOf(kernel.relay, desired), ruleFramesOf(reference, desired)] as const;
  compareRuleFrames(desired, difference(after[0], before[0]), difference(after[1], before[1]));
  return now;
}

/** As many as it says, else as its octets make, without its tag. */
function segmentsOf(frame: Uint8Array, { size, segments }: Gso): number {
  if (!size) return 1;
  const octets = parseFrame(frame)?.untagged.length ?? 0;
  return segments || Math.ceil(octets / size);
}

function texts(emissions: readonly Emission[]): string[] {
  return emissions.map(({ port, frame }) => `${port} ${hex(frame)}`).sort();
}

function hex(frame: Uint8Array): string {
  return Buffer.from(frame.buffer, frame.byteOffset, frame.length).toString('hex');
}

function inOrder({ strangers, ...rest }: RelayCounters) {
  return {
    ...rest,
    strangers: strangers
      .map((it) => `${it.port} ${it.mac} ${it.wireVid} ${it.frames} ${it.lastFrame}`)
      .sort(),
  };
}

type RuleFrames = ReadonlyMap<VsiId, readonly number[]>;

function ruleFramesOf(relay: Relay, { vsis }: RelayState): RuleFrames {
  return new Map(Array.from(vsis.keys(), (id) => [id, relay.ruleFrames(id)!]));
}

function difference(after: RuleFrames, before: RuleFrames): RuleFrames {
  return new Map(Array.from(after, ([id, counts]) => [id, counts.map((n, i) => n - before.get(id)![i]!)]));
}

/** A VSI's own counts, or those of all VSIs with an equal access list. */
function compareRuleFrames({ vsis }: RelayState, got: RuleFrames, wanted: RuleFrames): void {
  for (const [id, { policy }] of vsis) {
    if (isDeepStrictEqual(got.get(id), wanted.get(id))) continue;
    const total = wanted.get(id)!.map(() => 0);
    for (const [other, { policy: its }] of vsis)
      if (isDeepStrictEqual(its.accessList, policy.accessList))
        wanted.get(other)!.forEach((n, i) => (total[i]! += n));
    assert.deepEqual(got.get(id), total, `rule frames of ${id}`);
  }
}

/** npm run differential -- --frames 1000000 --seed 7 */
if (import.meta.main) {
  const { values } = parseArgs({
    options: { frames: { type: 'string', default: '1000000' }, seed: { type: 'string' } },
  });
  const seed = Number(values.seed ?? Date.now() % 1_000_000_000);
  console.log(`seed ${seed}`);
  const start = performance.now();
  const frames = await compareRelays(Number(values.frames), seed);
  const seconds = (performance.now() - start) / 1000;
  console.log(`${frames} frames, no difference, ${seconds.toFixed(1)} s`);
}
