import { readFileSync } from 'node:fs';
import { rates } from '../../forms/rate.ts';
import { run } from '../../linux/run.ts';
import { makeBed, port } from '../bed.ts';
import type { RoundsOptions } from '../interleave.ts';
import { Hairpin, stateOf, stationPort, vsisAt } from '../peers/hairpin.ts';
import { policy } from '../policy.ts';
import { note, round } from '../report.ts';
import { attachPair, throughput, type Pair } from './pair.ts';

/** TCP under a profile's `rate.max` with the burst that goes with it if none is said. */
export interface PolicedTcp {
  /** congestion control, as the kernel calls it */
  readonly algorithm: string;
  /** `rate.max` */
  readonly mbitPerSecond: number;
  /** what its receiver got, of `rate.max`; headers are charged too and are no part of it */
  readonly share: number;
}

export interface Policed {
  readonly runs: readonly PolicedTcp[];
  /** what could not be measured, and why */
  readonly missing: Readonly<Record<string, string>>;
}

export const algorithms = ['cubic', 'reno', 'bbr'] as const;
export const policedRates = [10, 50, 500] as const;

/** s; what the full bucket gives at first is no part of the figure. */
const start = 2;

/** The rates at once, the algorithms one after another, each once and as long as all rounds together. */
export async function policed({ rounds, ms, stop }: RoundsOptions): Promise<Policed> {
  const runs: PolicedTcp[] = [];
  const seconds = Math.max(1, (rounds * ms) / 1000);
  const omitted = seconds < start ? 0 : start;
  const missing: Record<string, string> = {};
  for (const algorithm of algorithms) {
    stop.throwIfAborted();
    note(`tcp under rate.max: ${algorithm}`);
    if (!(await isThere(algorithm))) {
      missing[`TCP by ${algorithm}`] = `this kernel has no tcp_${algorithm}`;
      continue;
    }
    await using undo = new AsyncDisposableStack();
    const pairs: Pair[] = [];
    for (const mbit of policedRates) pairs.push(await pairUnder(mbit, undo));
    const got = await Promise.all(pairs.map((pair) => throughput(pair, { algorithm, seconds, omitted })));
    policedRates.forEach((mbitPerSecond, i) =>
      runs.push({ algorithm, mbitPerSecond, share: round(got[i]! / 1e6 / mbitPerSecond, 3) }),
    );
  }
  return { runs, missing };
}

/** Two VMs that may send so much each, and whatever they like. */
async function pairUnder(mbit: number, undo: AsyncDisposableStack): Promise<Pair> {
  const bed = await makeBed();
  const hairpin = undo.adopt(new Hairpin(bed.switch), (it) => it.stop());
  const limited = { ...policy(0), rate: rates.parse({ fromVm: { max: mbit * 1e6 } }) };
  hairpin.apply(
    stateOf(
      new Map([[port, stationPort]]),
      vsisAt(port, 2, () => limited),
    ),
  );
  return attachPair(`${mbit} Mbit/s`, bed);
}

/** Whether the kernel has it, as a module too. */
async function isThere(algorithm: string): Promise<boolean> {
  await run('modprobe', ['--quiet', `tcp_${algorithm}`]).catch(() => ''); // built in, or not there
  return readFileSync('/proc/sys/net/ipv4/tcp_available_congestion_control', 'utf8')
    .split(/\s/)
    .includes(algorithm);
}
