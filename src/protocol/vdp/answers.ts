import type { FilterInfo } from '../../domain/filter-info.ts';
import type { VsiId } from '../../domain/vsi-id.ts';
import {
  modeOf,
  noHints,
  type AssociateRequest,
  type Refusal,
  type VdpErrorCode,
  type VdpMode,
  type VdpRequest,
} from './association.ts';
import type { BridgeVsi } from './bridge-vsi.ts';
import type { AssociationTlv, UnusableRequest } from './tlv.ts';

/** For whoever asks why a VM has no network. */
export interface LastRefusal {
  /** null: the request could not be read so far */
  readonly vsiId: VsiId | null;
  readonly mode: VdpMode;
  readonly code: VdpErrorCode;
  readonly reason: string;
  /** in ms of the machine's clock */
  readonly at: number;
}

/** What the bridge says to the station: its answers, and that it lets go of a VSI by its own decision. Counts the answers. */
export class Answers {
  readonly #put: (tlv: AssociationTlv) => boolean;
  /** de-associated by the bridge, and the station has not acknowledged it */
  readonly #leaving = new Set<VsiId>();
  /** names as in IEEE8021-EVB-MIB */
  readonly counters = { commandsSucceeded: 0, commandsFailed: 0, commandReverts: 0 };
  lastRefusal: LastRefusal | null = null;

  /** `put` hands a TLV over to ECP; false if it cannot be sent. */
  constructor(put: (tlv: AssociationTlv) => boolean) {
    this.#put = put;
  }

  /** False if the station cannot be told. */
  grant({ mode, vsiId, profile }: VdpRequest, filter: FilterInfo): boolean {
    this.counters.commandsSucceeded++;
    return this.#put({ kind: 'answer', mode, vsiId, profile, filter, refusal: null });
  }

  /** Says again what was granted. */
  confirm({ vsiId, association, profile, filter }: BridgeVsi): void {
    const mode = modeOf(association);
    this.#put({ kind: 'answer', mode, vsiId, profile, filter, refusal: null });
  }

  /** False if the station cannot be told. */
  refuse(
    { mode, vsiId, profile, filter }: AssociateRequest,
    refusal: Required<Refusal>,
    now: number,
  ): boolean {
    const { code, reason, keep } = refusal;
    this.lastRefusal = { vsiId, mode, code, reason, at: now };
    this.counters.commandsFailed++;
    if (keep) this.counters.commandReverts++;
    return this.#put({ kind: 'answer', mode, vsiId, profile, filter, refusal });
  }

  refuseUnusable(tlv: UnusableRequest, now: number): void {
    const { code, message } = tlv.problem;
    this.lastRefusal = { vsiId: null, mode: tlv.mode, code, reason: message, at: now };
    this.counters.commandsFailed++;
    this.#put({ ...tlv, refusal: code });
  }

  /** The bridge lets go of the VSI. */
  leave({ vsiId, profile, filter }: Omit<BridgeVsi, 'association'>): void {
    const sent = this.#put({
      kind: 'request',
      mode: 'de-associate',
      vsiId,
      profile,
      filter,
      hints: noHints,
    });
    if (sent) this.#leaving.add(vsiId);
  }

  /** The bridge let go of the VSI, and its station may not have heard that. */
  isLeaving(vsiId: VsiId): boolean {
    return this.#leaving.has(vsiId);
  }

  /** The station has heard that the bridge let go of the VSI, or never will. */
  left(vsiId: VsiId): void {
    this.#leaving.delete(vsiId);
  }

  /** What ECP had to send is lost. */
  clear(): void {
    this.#leaving.clear();
  }
}
