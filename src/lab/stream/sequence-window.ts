const windowSize = 1 << 16;

/**
 * Which of the latest 65,536 sequence numbers (a minute's worth) were seen, in constant memory. What is older is taken
 * for seen: a datagram does not stay in the network for a minute.
 */
export class SequenceWindow {
  readonly #seen = new Uint8Array(windowSize / 8);
  #highest = -1;

  /** the greatest one seen; -1 before the first */
  get highest(): number {
    return this.#highest;
  }

  /** True if `sequence` was not seen before. */
  add(sequence: number): boolean {
    if (sequence <= this.#highest - windowSize) return false;
    if (sequence - this.#highest >= windowSize) this.#seen.fill(0);
    else for (let skipped = this.#highest + 1; skipped < sequence; skipped++) this.#clear(skipped);
    const isNew = sequence > this.#highest || !this.#has(sequence);
    this.#highest = Math.max(this.#highest, sequence);
    this.#set(sequence);
    return isNew;
  }

  /** A bit for each of `span` sequences from `from` on, both multiples of 8, the lowest first; none of a later one is set. */
  from(from: number, span: number): Uint8Array {
    const bits = new Uint8Array(span / 8);
    for (let at = from; at < from + span && at <= this.#highest; at++)
      if (at > this.#highest - windowSize && this.#has(at)) bits[(at - from) >> 3]! |= 1 << (at & 7);
    return bits;
  }

  #has(sequence: number): boolean {
    const at = sequence % windowSize;
    return (this.#seen[at >> 3]! & (1 << (at & 7))) !== 0;
  }

  #set(sequence: number): void {
    const at = sequence % windowSize;
    this.#seen[at >> 3]! |= 1 << (at & 7);
  }

  #clear(sequence: number): void {
    const at = sequence % windowSize;
    this.#seen[at >> 3]! &= ~(1 << (at & 7));
  }
}
