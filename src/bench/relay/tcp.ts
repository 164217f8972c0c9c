import { setImmediate } from 'node:timers/promises';
import { makeBed } from '../bed.ts';
import { times, type RoundsOptions } from '../interleave.ts';
import { median, note, round } from '../report.ts';
import type { Contender } from './contenders.ts';
import { attachPair, throughput, type Pair } from './pair.ts';

/** TCP from one VM to another behind the same port, in Gbit/s as its receiver counts them. */
export interface Tcp {
  readonly name: string;
  readonly gbitPerSecond: number;
}

/** @returns the figures, and the last contender's as a multiple of the first's */
export async function tcp(
  contenders: readonly Contender[],
  { rounds, ms, stop }: RoundsOptions,
): Promise<{ readonly runs: readonly Tcp[]; readonly ratio: number | null }> {
  await using undo = new AsyncDisposableStack();
  const pairs: Pair[] = [];
  for (const { name, build } of contenders) {
    const bed = await makeBed();
    await build(bed, undo);
    pairs.push(await attachPair(name, bed));
  }
  const measured = pairs.map((): number[] => []);
  for (let turn = 1; turn <= rounds; turn++) {
    note(`tcp: round ${turn} of ${rounds}`);
    for (const [i, pair] of pairs.entries()) {
      await setImmediate();
      stop.throwIfAborted();
      measured[i]!.push((await throughput(pair, { seconds: ms / 1000 })) / 1e9);
    }
  }
  const runs = pairs.map(({ name }, i) => ({ name, gbitPerSecond: round(median(measured[i]!), 2) }));
  return { runs, ratio: times(runs.at(-1)?.gbitPerSecond, runs[0]?.gbitPerSecond) };
}
