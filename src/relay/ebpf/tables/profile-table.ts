import { Multiset } from '../../../base/multiset.ts';
import type { AccessList, Policy } from '../../../domain/port-profile.ts';
import { SystemError } from '../../../linux/libc.ts';
import { RelayError } from '../../contract/relay.ts';
import { AccessLists, readList } from '../access-list/lists.ts';
import type { DataPlane } from '../memory/data-plane.ts';
import { profileCount, profileSize } from '../memory/layout.ts';
import { Pool } from './pool.ts';
import { encodeProfile, numbersOf, type ProfileNumbers } from '../memory/profile.ts';
import { Texts, textKinds } from '../memory/texts.ts';

/** Profiles in the data plane. One that is in use never changes; VSIs of equal policy share one. */
export class ProfileTable {
  readonly #plane: DataPlane;
  readonly #texts: Texts;
  readonly #pool: Pool;
  readonly #lists: AccessLists;
  /** by text and octets */
  readonly #numbers = new Map<string, number>();
  readonly #keys = new Map<number, string>();
  readonly #uses: Multiset<number>;

  /** Takes over the profiles in use, a number for each VSI. */
  constructor(plane: DataPlane, used: readonly number[], grace: () => void) {
    this.#plane = plane;
    this.#texts = new Texts(plane.texts, textKinds.policy);
    this.#uses = new Multiset(used);
    for (const number of this.#texts.numbers()) if (!this.#uses.has(number)) this.#texts.delete(number);
    const lists: number[] = [];
    for (const number of this.#uses.distinct()) {
      const { accessList, mirrorFilter } = numbersOf(profileAt(plane, number));
      lists.push(accessList);
      if (mirrorFilter) lists.push(mirrorFilter);
      this.#keep(number, keyOf(this.#texts.read(number) ?? '', profileAt(plane, number)));
    }
    this.#lists = new AccessLists(plane.lists, lists, plane.cpus, grace);
    this.#pool = new Pool('profile', profileCount, new Set(used), grace);
  }

  /** The number of a profile for this policy, to be released some day. @throws RelayError when there is no room */
  acquire(policy: Policy, others: Pick<ProfileNumbers, 'mirrorPort' | 'tenant'>): number {
    using undo = new DisposableStack();
    const list = (list: AccessList, purpose: 'access' | 'mirror') => {
      const number = this.#lists.acquire(list, purpose);
      undo.defer(() => this.#lists.release(number));
      return number;
    };
    const numbers: ProfileNumbers = {
      ...others,
      accessList: list(policy.accessList, 'access'),
      mirrorFilter: policy.mirror?.filter ? list(policy.mirror.filter, 'mirror') : 0,
    };
    const bytes = encodeProfile(policy, numbers);
    const text = textOf(policy);
    const key = keyOf(text, bytes);
    let number = this.#numbers.get(key);
    if (number === undefined) {
      number = this.#write(text, bytes);
      this.#keep(number, key);
      undo.move();
    }
    this.#uses.add(number);
    return number;
  }

  release(number: number): void {
    if (!this.#uses.delete(number)) return;
    const key = this.#keys.get(number)!;
    this.#keys.delete(number);
    if (this.#numbers.get(key) === number) this.#numbers.delete(key);
    const { accessList, mirrorFilter } = numbersOf(profileAt(this.#plane, number));
    this.#lists.release(accessList);
    if (mirrorFilter) this.#lists.release(mirrorFilter);
    this.#texts.delete(number);
    this.#pool.retire(number);
  }

  /** See Relay.ruleFrames. */
  ruleFrames(number: number): number[] {
    return this.#lists.frames(numbersOf(profileAt(this.#plane, number)).accessList);
  }

  #write(text: string, bytes: Uint8Array): number {
    const number = this.#pool.take();
    try {
      this.#texts.write(number, text);
    } catch (error) {
      this.#pool.putBack(number);
      throw error instanceof SystemError ? new RelayError(error.message) : error;
    }
    profileAt(this.#plane, number).set(bytes);
    return number;
  }

  #keep(number: number, key: string): void {
    this.#numbers.set(key, number);
    this.#keys.set(number, key);
  }
}

/** One element of `profiles`. */
export function profileAt(plane: DataPlane, number: number): Uint8Array<ArrayBuffer> {
  return plane.profiles.subarray(number * profileSize, (number + 1) * profileSize);
}

/** The policy that a profile was made of. */
export function readPolicy(plane: DataPlane, number: number): Policy {
  const text = new Texts(plane.texts, textKinds.policy).read(number) ?? '{}';
  const policy = JSON.parse(text) as Policy;
  const { accessList, mirrorFilter } = numbersOf(profileAt(plane, number));
  const mirror = policy.mirror?.filter
    ? { ...policy.mirror, filter: readList(plane.lists, mirrorFilter) }
    : policy.mirror;
  return { ...policy, accessList: readList(plane.lists, accessList), mirror };
}

const texts = new WeakMap<Policy, string>();

/** All but the lists, which are kept where they are used. */
function textOf(policy: Policy): string {
  const known = texts.get(policy);
  if (known !== undefined) return known;
  const mirror = policy.mirror?.filter ? { ...policy.mirror, filter: true } : policy.mirror;
  const text = JSON.stringify({ ...policy, accessList: null, mirror });
  texts.set(policy, text);
  return text;
}

function keyOf(text: string, profile: Uint8Array): string {
  return `${text} ${Buffer.from(profile).toString('latin1')}`;
}
