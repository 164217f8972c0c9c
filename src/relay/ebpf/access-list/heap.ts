import { RelayError } from '../../contract/relay.ts';

export interface Run {
  readonly at: number;
  readonly units: number;
}

/**
 * Memory of the data plane in runs of units, in segments that are added as they are needed. A retired run is given out
 * again only after a grace period, as a number of a Pool is.
 */
export class Heap {
  readonly #segment: number;
  readonly #grow: () => Run | null;
  readonly #grace: () => void;
  /** ascending, none touches the next in its segment */
  #free: Run[] = [];
  #retired: Run[] = [];

  /**
   * @param segment units of one segment
   * @param grow adds a segment and gives its units; null if there can be no more
   * @param grace returns when a grace period is over
   */
  constructor(segment: number, grow: () => Run | null, grace: () => void) {
    this.#segment = segment;
    this.#grow = grow;
    this.#grace = grace;
  }

  /** Of what memory there is, this is free. */
  release(at: number, units: number): void {
    if (units) this.#free = joined([...this.#free, { at, units }], this.#segment);
  }

  /** Where a run of so many units begins. @throws RelayError when there is none */
  take(units: number): number {
    return this.#find(units) ?? this.#reclaim(units) ?? this.#extend(units);
  }

  retire(at: number, units: number): void {
    this.#retired.push({ at, units });
  }

  #find(units: number): number | null {
    const i = this.#free.findIndex((run) => run.units >= units);
    if (i < 0) return null;
    const { at, units: all } = this.#free[i]!;
    this.#free.splice(i, 1, ...(all > units ? [{ at: at + units, units: all - units }] : []));
    return at;
  }

  #reclaim(units: number): number | null {
    if (!this.#retired.length) return null;
    this.#grace();
    this.#free = joined([...this.#free, ...this.#retired], this.#segment);
    this.#retired = [];
    return this.#find(units);
  }

  #extend(units: number): number {
    const segment = this.#grow();
    if (segment) this.release(segment.at, segment.units);
    const at = segment && this.#find(units);
    if (at === null) throw new RelayError('the data plane has no room for another access list');
    return at;
  }
}

/** The same memory in ascending runs, those that touch joined, but for segments. */
function joined(runs: readonly Run[], segment: number): Run[] {
  const result: Run[] = [];
  for (const run of runs.toSorted((a, b) => a.at - b.at)) {
    const last = result.at(-1);
    if (last && last.at + last.units === run.at && run.at % segment)
      result[result.length - 1] = { at: last.at, units: last.units + run.units };
    else result.push(run);
  }
  return result;
}
