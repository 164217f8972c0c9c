import type { DropSample } from '../contract/relay.ts';
import { TokenBucket } from './token-bucket.ts';
import { bucketOf } from '../contract/policy.ts';

const perSecond = 200;
const atOnce = 100;
export const sampleOctets = 128;

/** Those who want to see dropped frames, and how many they see. */
export class DropWatch {
  readonly #listeners = new Set<(drop: DropSample) => void>();
  readonly #bucket = new TokenBucket(bucketOf({ max: 8 * perSecond, burst: atOnce }));

  add(listener: (drop: DropSample) => void): () => void {
    const one = (drop: DropSample) => listener(drop); // who comes twice can go twice
    this.#listeners.add(one);
    return () => this.#listeners.delete(one);
  }

  tell(drop: DropSample): void {
    if (!this.#listeners.size || !this.#bucket.pass(1, drop.at)) return;
    for (const listener of this.#listeners) listener(drop);
  }

  clear(): void {
    this.#listeners.clear();
  }
}
