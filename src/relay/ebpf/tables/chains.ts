import { Pool } from './pool.ts';

const nextBits = 0xffffffffn;

/**
 * The VSIs of each VLAN as chains of nodes in memory that programs walk while they change: every change is one store, and
 * a node that was taken out still leads onwards for whoever stands on it. A node's word: bits 0 to 31 the next node, 0 at
 * the end; above them the VSI's slot.
 */
export class Chains {
  readonly #first: BigUint64Array<ArrayBuffer>;
  readonly #nodes: BigUint64Array<ArrayBuffer>;
  readonly #pool: Pool;
  /** by slot and VLAN */
  readonly #places = new Map<number, number>();
  /** node to the node before it, 0 at the chain's head */
  readonly #previous = new Map<number, number>();

  /** Takes over what is chained, as far as `isIn` says that it belongs there. */
  constructor(
    first: BigUint64Array<ArrayBuffer>,
    nodes: BigUint64Array<ArrayBuffer>,
    isIn: (slot: number, vlan: number) => boolean,
    grace: () => void,
  ) {
    this.#first = first;
    this.#nodes = nodes;
    const left = new Set<number>();
    for (let vlan = 0; vlan < first.length; vlan++) this.#adopt(vlan, isIn, left);
    this.#pool = new Pool(
      'member of a VLAN',
      nodes.length,
      new Set([...this.#previous.keys(), ...left]),
      grace,
    );
    for (const node of left) if (!this.#previous.has(node)) this.#pool.retire(node);
  }

  has(slot: number, vlan: number): boolean {
    return this.#places.has(placeOf(slot, vlan));
  }

  /** @throws RelayError when there is no room */
  add(slot: number, vlan: number): void {
    const node = this.#pool.take();
    const head = Number(this.#first[vlan]!);
    Atomics.store(this.#nodes, node, BigInt(head) | (BigInt(slot) << 32n));
    Atomics.store(this.#first, vlan, BigInt(node));
    if (head) this.#previous.set(head, node);
    this.#previous.set(node, 0);
    this.#places.set(placeOf(slot, vlan), node);
  }

  remove(slot: number, vlan: number): void {
    const node = this.#places.get(placeOf(slot, vlan));
    if (node === undefined) return;
    const previous = this.#previous.get(node)!;
    const next = this.#next(node);
    this.#point(vlan, previous, next);
    if (next) this.#previous.set(next, previous);
    this.#previous.delete(node);
    this.#places.delete(placeOf(slot, vlan));
    this.#pool.retire(node);
  }

  #adopt(vlan: number, isIn: (slot: number, vlan: number) => boolean, left: Set<number>): void {
    let previous = 0;
    for (let node = Number(this.#first[vlan]!); node; node = this.#next(node)) {
      if (this.#previous.has(node) || left.has(node)) {
        this.#point(vlan, previous, 0);
        return;
      }
      const slot = Number(this.#nodes[node]! >> 32n);
      if (!isIn(slot, vlan) || this.has(slot, vlan)) {
        this.#point(vlan, previous, this.#next(node));
        left.add(node);
      } else {
        this.#places.set(placeOf(slot, vlan), node);
        this.#previous.set(node, previous);
        previous = node;
      }
    }
  }

  #next(node: number): number {
    return Number(this.#nodes[node]! & nextBits);
  }

  #point(vlan: number, previous: number, to: number): void {
    if (!previous) Atomics.store(this.#first, vlan, BigInt(to));
    else Atomics.store(this.#nodes, previous, (this.#nodes[previous]! & ~nextBits) | BigInt(to));
  }
}

function placeOf(slot: number, vlan: number): number {
  return slot * 4096 + vlan;
}
