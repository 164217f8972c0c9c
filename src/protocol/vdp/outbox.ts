import type { VsiId } from '../../domain/vsi-id.ts';
import type { Dialect } from '../dialect.ts';
import { longestPayload } from '../ethernet.ts';
import { concat, equal } from '../../base/octets.ts';
import { signatureTlvLength } from '../signed/tlv.ts';
import type { AssociationTlv, UnusableRequest } from './tlv.ts';

/** A TLV on its way. */
interface Item {
  readonly tlv: AssociationTlv;
  /** in how many ECPDUs it was already */
  readonly rounds: number;
  /** one of these was acknowledged */
  readonly isAgain: boolean;
  readonly encoded: Encoded;
}

/** What it is on the wire, made when it goes there: a station that asks too often has most answers replaced before. */
class Encoded {
  readonly #tlv: AssociationTlv;
  readonly #vdp: Dialect['vdp'];
  #lead: Uint8Array | null = null;
  #octets: Uint8Array | null = null;

  constructor(tlv: AssociationTlv, vdp: Dialect['vdp']) {
    this.#tlv = tlv;
    this.#vdp = vdp;
  }

  get lead(): Uint8Array {
    return (this.#lead ??= this.#vdp.lead(this.#tlv));
  }

  get octets(): Uint8Array {
    return (this.#octets ??= this.#vdp.encode(this.#tlv)!);
  }
}

/** A TLV goes into so many ECPDUs before it is given up: a busy lldpad stalls for longer than one is repeated. */
const mostRounds = 10;
/** Room for the ECP header of either dialect, and for a signature. */
const reserved = 9 + signatureTlvLength;
const end = Uint8Array.of(0, 0);
/** Longer than lldpad has no CPU, in ms. */
const readAfter = 500;

/**
 * TLVs that wait for ECP, gathered into as few ECPDUs as possible. A newer request for a
 * VSI replaces the older, and a newer answer the older.
 *
 * lldpad acknowledges an ECPDU when it is there and reads it by a timer of 2 ms, from its only buffer. If it gets no CPU
 * meanwhile and another ECPDU has come, it runs the one timer that is due first, which may be any other, and then lets
 * the new ECPDU overwrite the old. So what was acknowledged a moment ago is said once more in the ECPDU after it.
 */
export class VdpOutbox {
  readonly #limit: number;
  readonly #waiting = new Map<string | UnusableRequest, Item>();
  #inFlight: readonly Item[] = [];
  /** acknowledged for the first time, and perhaps not read */
  #unread: { readonly since: number; readonly items: readonly Item[] } = { since: 0, items: [] };

  /** Holds at most `limit` TLVs. */
  constructor(limit: number) {
    this.#limit = limit;
  }

  get size(): number {
    return this.#waiting.size;
  }

  /** False, and nothing is kept, if it is full or the dialect has no words for it. */
  put(tlv: AssociationTlv, { vdp }: Dialect): boolean {
    const key = keyOf(tlv);
    if (this.#waiting.size >= this.#limit && !this.#waiting.has(key)) return false;
    if (!vdp.canSay(tlv)) return false;
    this.#waiting.delete(key);
    this.#waiting.set(key, { tlv, rounds: 0, isAgain: false, encoded: new Encoded(tlv, vdp) });
    return true;
  }

  /** Says nothing more of what was answered about a VSI, and nothing once more: the bridge's own request was read. */
  withdraw(vsiId: VsiId): void {
    const isOf = ({ tlv }: Item) => tlv.kind !== 'unusable' && tlv.vsiId === vsiId;
    const stays = (item: Item) => !isOf(item) || (item.tlv.kind === 'request' && !item.isAgain);
    for (const key of [`answer ${vsiId}`, `request ${vsiId}`]) {
      const item = this.#waiting.get(key);
      if (item && !stays(item)) this.#waiting.delete(key);
    }
    this.#inFlight = this.#inFlight.filter(stays);
    this.#unread = { ...this.#unread, items: this.#unread.items.filter((item) => !isOf(item)) };
  }

  /** The next ECPDU's payload: the oldest TLV and as many others of the same lead as it holds; null if none waits. */
  take(now: number): Uint8Array | null {
    const [first] = this.#waiting.values();
    if (!first) return null;
    if (now < this.#unread.since + readAfter)
      this.#wait(this.#unread.items.map((item) => ({ ...item, isAgain: true })));
    this.#unread = { since: now, items: [] };
    const { lead } = first.encoded;
    let room = longestPayload - reserved - lead.length - end.length;
    const taken: Item[] = [];
    for (const [key, item] of this.#waiting) {
      if (!equal(item.encoded.lead, lead)) continue;
      if (item.encoded.octets.length > room) break;
      room -= item.encoded.octets.length;
      taken.push({ ...item, rounds: item.rounds + 1 });
      this.#waiting.delete(key);
    }
    this.#inFlight = taken;
    return concat([lead, ...taken.map(({ encoded }) => encoded.octets), end]);
  }

  /** What was taken last has arrived, which does not mean that it is read at a station that does so late. Returns what it was. */
  acknowledged(isReadLate: boolean, now: number): AssociationTlv[] {
    const items = this.#inFlight;
    this.#inFlight = [];
    if (isReadLate) this.#unread = { since: now, items: items.filter(({ isAgain }) => !isAgain) };
    return items.map(({ tlv }) => tlv);
  }

  /** Nobody acknowledged what was taken last: it waits again. Returns what is given up. */
  unacknowledged(): AssociationTlv[] {
    const items = this.#inFlight;
    this.#inFlight = [];
    const [spent, rest] = [items.filter(isSpent), items.filter((item) => !isSpent(item))];
    return [...spent, ...this.#wait(rest)].map(({ tlv }) => tlv);
  }

  clear(): void {
    this.#waiting.clear();
    this.#inFlight = [];
    this.#unread = { since: 0, items: [] };
  }

  /** Returns those that something newer counts instead of. */
  #wait(items: readonly Item[]): Item[] {
    const replaced: Item[] = [];
    for (const item of items) {
      const key = keyOf(item.tlv);
      if (this.#waiting.has(key)) replaced.push(item);
      else this.#waiting.set(key, item);
    }
    return replaced;
  }
}

function isSpent({ rounds }: Item): boolean {
  return rounds >= mostRounds;
}

function keyOf(tlv: AssociationTlv): string | UnusableRequest {
  return tlv.kind === 'unusable' ? tlv : `${tlv.kind} ${tlv.vsiId}`;
}
