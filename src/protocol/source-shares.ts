import type { MacAddress } from '../domain/mac-address.ts';
import { TokenBucket, type TokenRate } from '../base/token-bucket.ts';

/** More than speak LLDP at one link. */
const remembered = 64;

/** A token bucket for each source, so that one who floods uses up what is his own; and one for all who are new. */
export class SourceShares {
  readonly #each: TokenRate;
  readonly #newcomers: TokenBucket;
  /** by when they were heard last */
  readonly #shares = new Map<MacAddress, TokenBucket>();

  constructor(each: TokenRate, newcomers: TokenRate) {
    this.#each = each;
    this.#newcomers = new TokenBucket(newcomers);
  }

  take(source: MacAddress, now: number): boolean {
    let share = this.#shares.get(source);
    if (!share) {
      if (!this.#newcomers.take(now)) return false;
      share = new TokenBucket(this.#each);
    }
    this.#shares.delete(source);
    this.#shares.set(source, share);
    for (const oldest of this.#shares.keys()) {
      if (this.#shares.size <= remembered) break;
      this.#shares.delete(oldest);
    }
    return share.take(now);
  }
}
