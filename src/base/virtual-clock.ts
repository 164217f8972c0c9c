import type { Clock } from './clock.ts';

interface Waiting {
  readonly time: number;
  readonly action: () => void;
}

/** Time that passes only when it is told to. What is due happens by its time, and in the order of asking where that is one. */
export class VirtualClock implements Clock {
  #now = 0;
  readonly #waiting: Waiting[] = [];

  now(): number {
    return this.#now;
  }

  at(time: number, action: () => void): () => void {
    const entry = { time: Math.max(time, this.#now), action };
    let index = this.#waiting.length;
    while (index > 0 && this.#waiting[index - 1]!.time > entry.time) index--;
    this.#waiting.splice(index, 0, entry);
    return () => {
      const index = this.#waiting.indexOf(entry);
      if (index >= 0) this.#waiting.splice(index, 1);
    };
  }

  /** Lets `ms` pass; what falls due meanwhile happens at its time. */
  pass(ms: number): void {
    this.passUntil(this.#now + ms);
  }

  /** Lets time pass up to and including `end`. */
  passUntil(end: number): void {
    for (let next = this.#waiting[0]; next && next.time <= end; next = this.#waiting[0]) {
      this.#waiting.shift();
      this.#now = next.time;
      next.action();
    }
    this.#now = end;
  }
}
