/** When frames are due: one each interval, by absolute times, so that a late timer is made up for. */
export class Pace {
  readonly #interval: number;
  readonly #mostOwed: number;
  #next: number;

  /**
   * Times are in any one unit. Who is more than `mostOwed` frames late did not run in between (it was stopped, or
   * starved) and starts anew with one frame: a burst would measure queues.
   */
  constructor(start: number, interval: number, mostOwed: number) {
    this.#next = start;
    this.#interval = interval;
    this.#mostOwed = mostOwed;
  }

  /** How many frames are to be sent at `now`, those before included; they then count as sent. */
  due(now: number): number {
    const owed = Math.floor((now - this.#next) / this.#interval) + 1;
    if (owed <= 0) return 0;
    if (owed > this.#mostOwed) {
      this.#next = now + this.#interval;
      return 1;
    }
    this.#next += owed * this.#interval;
    return owed;
  }
}
