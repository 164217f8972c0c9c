import type { ManagerId } from '../../domain/manager-id.ts';
import { headerLength } from '../ecp/ratified.ts';
import { longestPayload } from '../ethernet.ts';
import { concat } from '../octets.ts';
import { encodeTlv } from '../tlv.ts';
import { encodeVdpdu, encodeVdpTlv, type AssociationTlv, type UnusableRequest } from './ratified.ts';

interface Item {
  readonly managerId: ManagerId;
  readonly tlv: AssociationTlv;
  readonly octets: Uint8Array;
}

/** A VDPDU and the associations in it. */
export interface Gathered {
  readonly payload: Uint8Array;
  readonly tlvs: readonly AssociationTlv[];
}

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

  /** False, and nothing is kept, if it is full. */
  put(managerId: ManagerId, tlv: AssociationTlv): boolean {
    const key = tlv.kind === 'unusable' ? tlv : `${tlv.kind} ${tlv.vsiId}`;
    if (this.#items.size >= this.#limit && !this.#items.has(key)) return false;
    this.#items.delete(key);
    this.#items.set(key, { managerId, tlv, octets: encodeTlv(encodeVdpTlv(tlv)) });
    return true;
  }

  /** Takes out the oldest TLV and as many others of the same manager id as one ECPDU holds. */
  take(): Gathered | null {
    const [first] = this.#items.values();
    if (!first) return null;
    const empty = encodeVdpdu({ managerId: first.managerId, tlvs: [] });
    const managerId = empty.subarray(0, -2);
    const end = empty.subarray(-2);
    let room = longestPayload - headerLength - empty.length;
    const taken: Item[] = [];
    for (const [key, item] of this.#items) {
      if (item.managerId !== first.managerId) continue;
      if (item.octets.length > room) break;
      room -= item.octets.length;
      taken.push(item);
      this.#items.delete(key);
    }
    return {
      payload: concat([managerId, ...taken.map(({ octets }) => octets), end]),
      tlvs: taken.map(({ tlv }) => tlv),
    };
  }

  clear(): void {
    this.#items.clear();
  }
}
