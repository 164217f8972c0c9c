import type { RateLimit } from '../../domain/port-profile.ts';
import { bucketOf } from '../policy.ts';

/**
 * A token bucket, kept as the one moment at which it will be full again (GCRA, ITU-T I.371), in 1/16 ns. A frame
 * passes while the bucket is not empty and may overdraw it, or a super-frame (GSO) longer than the burst never could.
 */
export class TokenBucket {
  readonly #cost: bigint;
  readonly #depth: bigint;
  #fullAt = 0n;

  constructor(limit: RateLimit) {
    const { cost, depth } = bucketOf(limit);
    this.#cost = cost;
    this.#depth = depth;
  }

  /** Whether a frame of so many octets passes now (ns); one that does is paid for. */
  pass(octets: number, nowNs: bigint): boolean {
    const now = nowNs << 4n;
    if (this.#fullAt < now) this.#fullAt = now;
    if (this.#fullAt >= now + this.#depth) return false;
    this.#fullAt += (BigInt(octets) * this.#cost) >> 20n;
    return true;
  }
}
