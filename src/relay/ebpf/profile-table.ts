import type { Policy } from '../../domain/port-profile.ts';
import { AccessLists } from './access-list/lists.ts';
import type { DataPlane } from './data-plane.ts';
import { profileCount } from './layout.ts';
import { Pool } from './pool.ts';
import { encodeProfile, listOf, profileSize } from './profile.ts';

/** Profiles in the data plane. One that is in use never changes; VSIs of equal policy share one. */
export class ProfileTable {
  readonly #plane: DataPlane;
  readonly #pool: Pool;
  readonly #lists: AccessLists;
  readonly #numbers = new Map<string, number>();
  readonly #uses = new Map<number, number>();

  /** Takes over the profiles in use, a number for each VSI. */
  constructor(plane: DataPlane, used: readonly number[], grace: () => void) {
    this.#plane = plane;
    for (const number of used) {
      this.#uses.set(number, (this.#uses.get(number) ?? 0) + 1);
      this.#numbers.set(keyOf(this.#bytes(number)), number);
    }
    const lists = [...this.#uses.keys()].map((number) => listOf(this.#bytes(number)));
    this.#lists = new AccessLists(plane.lists, lists, plane.cpus, grace);
    this.#pool = new Pool('profile', profileCount, new Set(used), grace);
  }

  /** The number of a profile for this policy, to be released some day. @throws RelayError when there is no room */
  acquire(policy: Policy, mirrorPort: number): number {
    const list = this.#lists.acquire(policy.accessList, 'access');
    const bytes = encodeProfile(policy, mirrorPort, list);
    const key = keyOf(bytes);
    let number = this.#numbers.get(key);
    if (number === undefined) {
      number = this.#take(list);
      this.#bytes(number).set(bytes);
      this.#numbers.set(key, number);
    } else this.#lists.release(list);
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
    this.#lists.release(listOf(this.#bytes(number)));
    this.#pool.retire(number);
  }

  /** See Relay.ruleFrames. */
  ruleFrames(number: number): number[] {
    return this.#lists.frames(listOf(this.#bytes(number)));
  }

  #take(list: number): number {
    try {
      return this.#pool.take();
    } catch (error) {
      this.#lists.release(list);
      throw error;
    }
  }

  #bytes(number: number): Uint8Array<ArrayBuffer> {
    return this.#plane.profiles.subarray(number * profileSize, (number + 1) * profileSize);
  }
}

function keyOf(profile: Uint8Array): string {
  return Buffer.from(profile).toString('latin1');
}
