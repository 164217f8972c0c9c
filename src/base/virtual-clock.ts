import type { Clock } from './clock.ts';

/** Time that passes only when it is told to. */
export class VirtualClock implements Clock {
  #now = 0;
  readonly #waiting = new Set<{ readonly time: number; readonly action: () => void }>();

  now(): number {
    return this.#now;
  }

  at(time: number, action: () => void): () => void {
    const entry = { time, action };
    this.#waiting.add(entry);
    return () => this.#waiting.delete(entry);
  }

  /** Lets `ms` pass; what falls due meanwhile happens at its time. */
  pass(ms: number): void {
    const end = this.#now + ms;
    for (;;) {
      let next: { readonly time: number; readonly action: () => void } | null = null;
      for (const entry of this.#waiting)
        if (entry.time <= end && entry.time < (next?.time ?? Infinity)) next = entry;
      if (!next) break;
      this.#waiting.delete(next);
      this.#now = Math.max(this.#now, next.time);
      next.action();
    }
    this.#now = end;
  }
}
