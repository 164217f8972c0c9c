/**
 * Keys by when they were last touched. All wait for the same time, so the first to be due is the one that was
 * touched longest ago: a Map's order, and every operation costs the same however many keys there are.
 */
export class Aging<Key> {
  readonly #touched = new Map<Key, number>();

  touch(key: Key, now: number): void {
    this.#touched.delete(key);
    this.#touched.set(key, now);
  }

  /** As if all had been touched now. */
  touchAll(now: number): void {
    for (const key of this.#touched.keys()) this.#touched.set(key, now);
  }

  delete(key: Key): void {
    this.#touched.delete(key);
  }

  clear(): void {
    this.#touched.clear();
  }

  /** Forgets all but the `most` keys that were touched last. */
  trim(most: number): void {
    for (const key of this.#touched.keys()) {
      if (this.#touched.size <= most) return;
      this.#touched.delete(key);
    }
  }

  /** When `key` was touched. */
  since(key: Key): number | null {
    return this.#touched.get(key) ?? null;
  }

  /** When the first key will be `wait` ms old; null without keys. */
  deadline(wait: number): number | null {
    for (const since of this.#touched.values()) return since + wait;
    return null;
  }

  /** Takes out what is `wait` ms old or older, oldest first. */
  expire(wait: number, now: number): Key[] {
    const expired: Key[] = [];
    for (const [key, since] of this.#touched) {
      if (since + wait > now) break;
      expired.push(key);
      this.#touched.delete(key);
    }
    return expired;
  }
}
