import type { Dialect } from '../dialect.ts';
import { longestPayload } from '../ethernet.ts';
import { concat, equal } from '../octets.ts';
import type { AssociationTlv, UnusableRequest } from './tlv.ts';

/** A TLV on its way. */
export interface Item {
  readonly tlv: AssociationTlv;
  /** in how many ECPDUs it was already */
  readonly rounds: number;
  readonly lead: Uint8Array;
  readonly octets: Uint8Array;
}

/** What one ECPDU carries. */
export interface Gathered {
  readonly payload: Uint8Array;
  readonly items: readonly Item[];
}

/** A TLV goes into so many ECPDUs before it is given up: a busy lldpad stalls for longer than one is repeated. */
const mostRounds = 10;
/** Room for the ECP header of either dialect. */
const reserved = 9;
const end = Uint8Array.of(0, 0);

/**
 * TLVs that wait for ECP, gathered into as few ECPDUs as possible. A newer request for a
 * VSI replaces the older, and a newer answer the older.
 */
export class VdpOutbox {
  readonly #limit: number;
  readonly #items = new Map<string | UnusableRequest, Item>();

  /** Holds at most `limit` TLVs. */
  constructor(limit: number) {
    this.#limit = limit;
  }

  get size(): number {
    return this.#items.size;
  }

  /** False, and nothing is kept, if it is full or the dialect has no words for it. */
  put(tlv: AssociationTlv, { vdp }: Dialect): boolean {
    const key = keyOf(tlv);
    if (this.#items.size >= this.#limit && !this.#items.has(key)) return false;
    const octets = vdp.encode(tlv);
    if (octets === null) return false;
    this.#items.delete(key);
    this.#items.set(key, { tlv, rounds: 0, lead: vdp.lead(tlv), octets });
    return true;
  }

  /** Nobody acknowledged these. What is newer counts instead; returns what is given up. */
  putBack(items: readonly Item[]): AssociationTlv[] {
    const givenUp: AssociationTlv[] = [];
    for (const item of items) {
      const key = keyOf(item.tlv);
      if (item.rounds >= mostRounds || this.#items.has(key)) givenUp.push(item.tlv);
      else this.#items.set(key, item);
    }
    return givenUp;
  }

  /** Takes out the oldest TLV and as many others of the same lead as one ECPDU holds. */
  take(): Gathered | null {
    const [first] = this.#items.values();
    if (!first) return null;
    let room = longestPayload - reserved - first.lead.length - end.length;
    const taken: Item[] = [];
    for (const [key, item] of this.#items) {
      if (!equal(item.lead, first.lead)) continue;
      if (item.octets.length > room) break;
      room -= item.octets.length;
      taken.push({ ...item, rounds: item.rounds + 1 });
      this.#items.delete(key);
    }
    return {
      payload: concat([first.lead, ...taken.map(({ octets }) => octets), end]),
      items: taken,
    };
  }

  clear(): void {
    this.#items.clear();
  }
}

function keyOf(tlv: AssociationTlv): string | UnusableRequest {
  return tlv.kind === 'unusable' ? tlv : `${tlv.kind} ${tlv.vsiId}`;
}
