/** `burst` tokens at most, `rate` more per second. Times are milliseconds on one monotonic clock. */
export interface TokenRate {
  readonly rate: number;
  readonly burst: number;
}

export class TokenBucket {
  readonly #rate: TokenRate;
  #tokens: number;
  #since: number | null = null;

  /** Starts full. */
  constructor(rate: TokenRate) {
    this.#rate = rate;
    this.#tokens = rate.burst;
  }

  take(now: number): boolean {
    if (now < this.nextToken()) return false;
    if (this.#since !== null)
      this.#tokens = Math.min(
        this.#rate.burst,
        this.#tokens + ((now - this.#since) * this.#rate.rate) / 1000,
      );
    this.#since = now;
    // At nextToken() rounding may leave the token a hair short of whole.
    this.#tokens = Math.max(0, this.#tokens - 1);
    return true;
  }

  /** When `take` will succeed; minus infinity if it always would. */
  nextToken(): number {
    if (this.#since === null || this.#tokens >= 1) return -Infinity;
    return this.#since + ((1 - this.#tokens) * 1000) / this.#rate.rate;
  }
}
