/** Values, each as often as it was added. */
export class Multiset<T> {
  readonly #counts = new Map<T, number>();

  constructor(values: Iterable<T> = []) {
    for (const value of values) this.add(value);
  }

  has(value: T): boolean {
    return this.#counts.has(value);
  }

  add(value: T): void {
    this.#counts.set(value, (this.#counts.get(value) ?? 0) + 1);
  }

  /** Takes it out once; whether that was the last of it. Nothing, and false, if there was none. */
  delete(value: T): boolean {
    const count = this.#counts.get(value);
    if (count === undefined) return false;
    if (count === 1) return this.#counts.delete(value);
    this.#counts.set(value, count - 1);
    return false;
  }

  /** Each value once. */
  distinct(): Iterable<T> {
    return this.#counts.keys();
  }
}
