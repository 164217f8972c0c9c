import type { VsiId } from '../../domain/vsi-id.ts';
import { Aging } from '../../base/aging.ts';

/**
 * What a station left at a port when another took its place. As long as that one has not shown that it is a station,
 * nothing goes. After that it claims what is its own, and the rest goes when its time is over.
 */
export class Inheritance {
  readonly #unclaimed = new Set<VsiId>();
  /** the same, once the heir is confirmed */
  readonly #going = new Aging<VsiId>();

  leave(vsiIds: Iterable<VsiId>): void {
    this.clear();
    for (const vsiId of vsiIds) this.#unclaimed.add(vsiId);
  }

  /** The new station was granted a VSI, one of these or not. */
  claim(vsiId: VsiId, now: number): void {
    this.forget(vsiId);
    this.confirm(now);
  }

  /** The new station is one. */
  confirm(now: number): void {
    for (const vsiId of this.#unclaimed) this.#going.touch(vsiId, now);
    this.#unclaimed.clear();
  }

  forget(vsiId: VsiId): void {
    this.#unclaimed.delete(vsiId);
    this.#going.delete(vsiId);
  }

  clear(): void {
    this.#unclaimed.clear();
    this.#going.clear();
  }

  /** Takes out what nobody has claimed for `wait` ms. */
  expire(wait: number, now: number): VsiId[] {
    return this.#going.expire(wait, now);
  }

  deadline(wait: number): number | null {
    return this.#going.deadline(wait);
  }
}
