import { isDeepStrictEqual } from 'node:util';

/** 1/16 ns per octet times 2^20, and 1/16 ns */
interface Shape {
  readonly cost: bigint;
  readonly depth: bigint;
}

/**
 * A token bucket, kept as the one moment at which it will be full again (GCRA, ITU-T I.371), in 1/16 ns. A frame
 * passes while the bucket is not empty and may overdraw it, or a super-frame (GSO) longer than the burst never could.
 */
export class TokenBucket {
  readonly #shape: Shape;
  #fullAt = 0n;

  constructor(shape: Shape) {
    this.#shape = shape;
  }

  /** Whether a frame of so many octets passes now (ns); one that does is paid for. */
  pass(octets: number, nowNs: bigint): boolean {
    const { cost, depth } = this.#shape;
    const now = nowNs << 4n;
    if (this.#fullAt < now) this.#fullAt = now;
    if (this.#fullAt >= now + depth) return false;
    this.#fullAt += (BigInt(octets) * cost) >> 20n;
    return true;
  }
}

/** A bucket for each thing that is limited. One whose limit is that of `before` goes on, any other starts full. */
export class Buckets<K extends string, Limit> {
  readonly #buckets = new Map<K, { readonly limit: Limit; readonly bucket: TokenBucket }>();

  constructor(
    limits: Readonly<Partial<Record<K, Limit>>>,
    shapeOf: (limit: Limit) => Shape,
    before?: Buckets<K, Limit>,
  ) {
    for (const [key, limit] of Object.entries(limits) as [K, Limit][]) {
      const held = before && before.#buckets.get(key);
      const goesOn = held && isDeepStrictEqual(held.limit, limit);
      this.#buckets.set(key, goesOn ? held : { limit, bucket: new TokenBucket(shapeOf(limit)) });
    }
  }

  pass(key: K, octets: number, nowNs: bigint): boolean {
    return this.#buckets.get(key)?.bucket.pass(octets, nowNs) ?? true;
  }
}
