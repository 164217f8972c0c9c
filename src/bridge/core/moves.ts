import type { VsiId } from '../../domain/vsi-id.ts';

/** So many moves of one VSI within so long are an event: a fabric's duplicate-address guard counts likewise (RFC 7432, 15.1). */
export const restless = { moves: 5, withinMs: 180_000 } as const;

/** How often VSIs have moved lately. */
export class Moves {
  /** the VSI that has moved last is last; of each, when */
  readonly #moves = new Map<VsiId, readonly number[]>();
  /** how often a VSI has become restless */
  events = 0;

  /** Takes note of a move; whether it makes the VSI restless. The count begins anew then. */
  moved(vsiId: VsiId, now: number): boolean {
    const recent = (time: number) => now - time < restless.withinMs;
    for (const [other, times] of this.#moves) {
      if (recent(times.at(-1)!)) break;
      this.#moves.delete(other);
    }
    const times = [...(this.#moves.get(vsiId) ?? []).filter(recent), now];
    this.#moves.delete(vsiId);
    if (times.length < restless.moves) {
      this.#moves.set(vsiId, times);
      return false;
    }
    this.events++;
    return true;
  }
}
