/**
 * The VSIs of each VLAN as chains in memory that programs walk while they change: every change is one store, and a
 * slot that was taken out still leads onwards for whoever stands on it.
 */
export class Chains {
  readonly #first: BigUint64Array<ArrayBuffer>;
  readonly #next: BigUint64Array<ArrayBuffer>;
  /** slot to its VLAN and the slot before it, 0 at the chain's head */
  readonly #links = new Map<number, { vlan: number; previous: number }>();

  /** Takes over what is chained: `vlanOf` tells where a slot belongs, null if nowhere. */
  constructor(
    first: BigUint64Array<ArrayBuffer>,
    next: BigUint64Array<ArrayBuffer>,
    vlanOf: (slot: number) => number | null,
  ) {
    this.#first = first;
    this.#next = next;
    for (let vlan = 0; vlan < first.length; vlan++) {
      let previous = 0;
      for (let slot = Number(first[vlan]!); slot; slot = Number(next[slot]!)) {
        if (this.#links.has(slot)) {
          this.#point(vlan, previous, 0);
          break;
        }
        if (vlanOf(slot) !== vlan) this.#point(vlan, previous, Number(next[slot]!));
        else {
          this.#links.set(slot, { vlan, previous });
          previous = slot;
        }
      }
    }
  }

  has(slot: number): boolean {
    return this.#links.has(slot);
  }

  add(slot: number, vlan: number): void {
    const head = Number(this.#first[vlan]!);
    Atomics.store(this.#next, slot, BigInt(head));
    Atomics.store(this.#first, vlan, BigInt(slot));
    const after = this.#links.get(head);
    if (after) after.previous = slot;
    this.#links.set(slot, { vlan, previous: 0 });
  }

  /** The slot must not be added again before a grace period is over. */
  remove(slot: number): void {
    const link = this.#links.get(slot);
    if (!link) return;
    const next = Number(this.#next[slot]!);
    this.#point(link.vlan, link.previous, next);
    const after = this.#links.get(next);
    if (after) after.previous = link.previous;
    this.#links.delete(slot);
  }

  #point(vlan: number, previous: number, to: number): void {
    if (previous) Atomics.store(this.#next, previous, BigInt(to));
    else Atomics.store(this.#first, vlan, BigInt(to));
  }
}
