import { TokenBucket } from '../../base/token-bucket.ts';

/** All in milliseconds and at their recommended values (802.1AB 9.2.5). */
export const interval = 30_000;
const fastInterval = 1_000;
const fastCount = 4;
const credit = { rate: 1, burst: 5 };

/** The TTL to send, in seconds: four intervals, and one second so that the fourth repeat is in time. */
export const txTtl = (interval / 1000) * 4 + 1;

/**
 * When to send an LLDPDU (802.1AB 9.2.8, transmit timer machine): at once when enabled, when something in it
 * changes and when a neighbour appears; then three more at a second's distance; then every 30 s. Never more than
 * five in a burst and one per second after that.
 */
export class LldpTransmitter {
  #credit = new TokenBucket(credit);
  /** null: not enabled */
  #next: number | null = null;
  #fast = 0;

  /** Also for a new neighbour, who knows nothing yet. */
  start(now: number): void {
    this.#next = now;
    this.#fast = fastCount;
  }

  /** The content changed. */
  changed(now: number): void {
    if (this.#next !== null) this.#next = Math.min(this.#next, now);
  }

  stop(): void {
    this.#next = null;
  }

  /** Whether to send now; saying yes counts as sent. */
  due(now: number): boolean {
    if (this.#next === null || now < this.#next || !this.#credit.take(now)) return false;
    this.#fast = Math.max(0, this.#fast - 1);
    this.#next = now + (this.#fast > 0 ? fastInterval : interval);
    return true;
  }

  deadline(): number | null {
    return this.#next === null ? null : Math.max(this.#next, this.#credit.nextToken());
  }
}
