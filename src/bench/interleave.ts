import { setImmediate } from 'node:timers/promises';
import type { Path } from './path.ts';
import { median, note, round } from './report.ts';

/** A path's cost less that of the generator in the same round, in ns of CPU time per frame. */
export interface Cost {
  readonly name: string;
  readonly ns: number;
  readonly min: number;
  readonly max: number;
}

export interface Costs {
  /** what the generator costs by itself */
  readonly generator: number;
  readonly paths: readonly Cost[];
}

export interface Trial {
  readonly path: Path;
  readonly frames: readonly Uint8Array[];
}

export interface RoundsOptions {
  readonly rounds: number;
  /** for one measurement */
  readonly ms: number;
  readonly stop: AbortSignal;
}

/**
 * Measures the generator with each set of frames, and every path, in turn, round after round, so that whatever else the
 * machine does falls on all alike.
 */
export async function costs(
  title: string,
  generator: Path,
  trials: readonly Trial[],
  { rounds, ms, stop }: RoundsOptions,
): Promise<Costs> {
  const alone: number[] = [];
  const added = trials.map((): number[] => []);
  for (let turn = 1; turn <= rounds; turn++) {
    note(`${title}: round ${turn} of ${rounds}`);
    const base = new Map<Trial['frames'], number>();
    for (const [i, { path, frames }] of trials.entries()) {
      await setImmediate(); // a signal is heard between two measurements
      stop.throwIfAborted();
      const sent = base.get(frames) ?? generator.cost(frames, ms);
      base.set(frames, sent);
      added[i]!.push(path.cost(frames, ms) - sent);
    }
    alone.push(...base.values());
  }
  return {
    generator: round(median(alone), 0),
    paths: trials.map(({ path: { name } }, i) => ({
      name,
      ns: round(median(added[i]!), 0),
      min: round(Math.min(...added[i]!), 0),
      max: round(Math.max(...added[i]!), 0),
    })),
  };
}

/** `cost` as a multiple of `of`: how often cheaper `of` is. Null if one did not take part. */
export function times(cost: number | undefined, of: number | undefined): number | null {
  return cost === undefined || of === undefined ? null : round(cost / of, 2);
}
