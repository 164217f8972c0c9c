import ipaddr from 'ipaddr.js';
import { directions, stormKinds, type Direction, type StormKind } from '../../../domain/port-profile.ts';
import type { VsiCounters } from '../../contract/relay.ts';
import { claimSize, decodeDropped, reasonWords, slotSize } from './layout.ts';

const words = slotSize / 8;
const claimCount = 4;
const offsets = {
  word: 0,
  mac: 1,
  buckets: 2,
  ip4: 4,
  ip6: 5,
  left: 7,
  tallies: 8,
  tallyWords: 8,
  storms: 40,
  mirrored: 43,
  dropped: 48,
  claims: 176,
  claimWords: 11,
} as const;

const ipWords = [offsets.ip4, offsets.ip6, offsets.ip6 + 1] as const;

/** One element of `slots` (struct slot), in the memory shared with the kernel. */
export class Slot {
  readonly #memory: BigUint64Array<ArrayBuffer>;
  readonly #at: number;

  constructor(slots: BigUint64Array<ArrayBuffer>, number: number) {
    this.#memory = slots;
    this.#at = number * words;
  }

  get word(): bigint {
    return this.#memory[this.#at + offsets.word]!;
  }

  /** The one store that changes a VSI. */
  set word(word: bigint) {
    this.#store(offsets.word, word);
  }

  /** The port of the released place, and when the VSI ceased to be active there (`packSeen`); 0: it was not. */
  set left(word: bigint) {
    this.#store(offsets.left, word);
  }

  /** The address that group frames are sent to. */
  set mac(word: bigint) {
    this.#store(offsets.mac, word);
  }

  /** The first of the addresses of each family are here, beside what else a frame needs; all are in `ips`. */
  set ips(ips: readonly string[]) {
    const words = atHand(ips);
    ipWords.forEach((at, i) => this.#store(at, words[i]!));
  }

  /** Whether it is one of those that `ips` put here. */
  hasAtHand(ip: string): boolean {
    const words = atHand([ip]);
    return ipWords.every((at, i) => !words[i] || words[i] === this.#memory[this.#at + at]);
  }

  fillBucket(direction: Direction): void {
    this.#store(offsets.buckets + directions.indexOf(direction), 0n);
  }

  fillStormBucket(kind: StormKind): void {
    this.#store(offsets.storms + stormKinds.indexOf(kind), 0n);
  }

  countMirroredAnew(): void {
    for (const i of directions.keys()) this.#store(offsets.mirrored + i, 0n);
  }

  /** The link-local addresses that the VSI speaks for, as keys of `claims`. */
  *claims(): Generator<Uint8Array<ArrayBuffer>> {
    const from = 8 * (this.#at + offsets.claims);
    const octets = new Uint8Array(
      this.#memory.buffer,
      this.#memory.byteOffset + from,
      claimCount * claimSize,
    );
    for (let at = 0; at < octets.length; at += claimSize) {
      const key = octets.slice(at, at + claimSize);
      if (key.some((octet) => octet !== 0)) yield key;
    }
  }

  forgetClaims(): void {
    const from = this.#at + offsets.claims;
    this.#memory.fill(0n, from, from + offsets.claimWords);
  }

  countAnew(tally: number): void {
    const from = this.#at + offsets.tallies + tally * offsets.tallyWords;
    this.#memory.fill(0n, from, from + offsets.tallyWords);
    this.#memory.fill(0n, this.#dropped(tally), this.#dropped(tally) + reasonWords);
  }

  counters(tally: number): VsiCounters {
    const at = this.#at + offsets.tallies + tally * offsets.tallyWords;
    const word = (i: number) => this.#memory[at + i]!;
    return {
      fromVm: { frames: Number(word(0)), octets: Number(word(2)) },
      toVm: { frames: Number(word(1)), octets: Number(word(3)) },
      dropped: decodeDropped(new DataView(this.#memory.buffer), 8 * this.#dropped(tally)),
      firstFrame: word(4) || null,
      lastFrame: word(5) || null,
    };
  }

  #dropped(tally: number): number {
    return this.#at + offsets.dropped + tally * reasonWords;
  }

  #store(offset: number, value: bigint): void {
    Atomics.store(this.#memory, this.#at + offset, value);
  }
}

/** The words for the first address of each family, 0 without one. */
function atHand(ips: readonly string[]): BigUint64Array {
  const octets = new Uint8Array(24);
  for (const ip of ips.toReversed()) {
    const address = ipaddr.parse(ip).toByteArray();
    octets.set(address, address.length === 4 ? 0 : 8);
  }
  return new BigUint64Array(octets.buffer);
}
