import type { Policy } from '../../domain/port-profile.ts';
import type { DataPlane } from './data-plane.ts';
import { profileCount } from './layout.ts';
import { Pool } from './pool.ts';
import { decodeProfile, encodeProfile, profileSize } from './profile.ts';

/** Profiles in the data plane. One that is in use never changes; VSIs of equal policy share one. */
export class ProfileTable {
  readonly #plane: DataPlane;
  readonly #pool: Pool;
  readonly #numbers = new Map<string, number>();
  readonly #uses = new Map<number, number>();

  /** Takes over the profiles in use, a number for each VSI. */
  constructor(plane: DataPlane, used: readonly number[], grace: () => void) {
    this.#plane = plane;
    for (const number of used) {
      this.#uses.set(number, (this.#uses.get(number) ?? 0) + 1);
      this.#numbers.set(keyOf(this.#bytes(number)), number);
    }
    this.#pool = new Pool('profile', profileCount, new Set(used), grace);
  }

  /** The number of a profile for this policy, to be released some day. @throws RelayError when there is no room */
  acquire(policy: Policy, mirrorPort: number): number {
    const bytes = encodeProfile(policy, mirrorPort);
    const key = keyOf(bytes);
    let number = this.#numbers.get(key);
    if (number === undefined) {
      number = this.#pool.take();
      this.#bytes(number).set(bytes);
      this.#numbers.set(key, number);
    }
    this.#uses.set(number, (this.#uses.get(number) ?? 0) + 1);
    return number;
  }

  release(number: number): void {
    const uses = this.#uses.get(number)! - 1;
    this.#uses.set(number, uses);
    if (uses) return;
    this.#uses.delete(number);
    const key = keyOf(this.#bytes(number));
    if (this.#numbers.get(key) === number) this.#numbers.delete(key);
    this.#pool.retire(number);
  }

  read(number: number): Policy {
    return decodeProfile(this.#bytes(number));
  }

  #bytes(number: number): Uint8Array<ArrayBuffer> {
    return this.#plane.profiles.subarray(number * profileSize, (number + 1) * profileSize);
  }
}

function keyOf(profile: Uint8Array): string {
  return Buffer.from(profile).toString('latin1');
}
