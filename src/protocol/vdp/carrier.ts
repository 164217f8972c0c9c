import type { Dialect } from '../dialect.ts';
import type { UpperLayer } from '../ecp/ecp.ts';
import type { EvbRole } from '../evb/ratified.ts';
import type { VsiId } from '../../domain/vsi-id.ts';
import { VdpOutbox } from './outbox.ts';
import type { AssociationTlv, VdpTlv } from './tlv.ts';

export interface VdpCarrierOptions {
  readonly role: EvbRole;
  /** the version in use at the moment */
  readonly dialect: () => Dialect;
  /** TLVs that may wait to be sent */
  readonly limit: number;
  readonly received: (tlvs: readonly VdpTlv[], now: number) => void;
  /** These TLVs were acknowledged, or given up. */
  readonly settled: (tlvs: readonly AssociationTlv[]) => void;
  readonly malformed: (message: string, now: number) => void;
}

/** VDP as an upper layer of ECP: what waits, what is on its way, and what comes in. */
export class VdpCarrier implements UpperLayer {
  readonly #options: VdpCarrierOptions;
  readonly #outbox: VdpOutbox;

  constructor(options: VdpCarrierOptions) {
    this.#options = options;
    this.#outbox = new VdpOutbox(options.limit);
  }

  /** False if too much waits already, or the version has no words for it. */
  put(tlv: AssociationTlv): boolean {
    return this.#outbox.put(tlv, this.#options.dialect());
  }

  /** The answers about the VSI that were `put` are out of date, and not said any more. */
  withdraw(vsiId: VsiId): void {
    this.#outbox.withdraw(vsiId);
  }

  clear(): void {
    this.#outbox.clear();
  }

  hasMore(): boolean {
    return this.#outbox.size > 0;
  }

  pull(now: number): Uint8Array | null {
    return this.#outbox.take(now);
  }

  settled(acknowledgedAt: number | null): void {
    this.#options.settled(
      acknowledgedAt === null
        ? this.#outbox.unacknowledged()
        : this.#outbox.acknowledged(this.#isReadLate, acknowledgedAt),
    );
  }

  /** What a station says again it would have to ask for again, and may have lost since. */
  get #isReadLate(): boolean {
    const { role, dialect } = this.#options;
    return role === 'bridge' && dialect().vdp.isReadLate;
  }

  received(payload: Uint8Array, now: number): void {
    const { role, dialect, received, malformed } = this.#options;
    const vdpdu = dialect().vdp.decode(role, payload);
    if (!vdpdu.ok) return malformed(vdpdu.error.message, now);
    // The ECPDU was acknowledged, and nobody says again what is beside it.
    for (const tlv of vdpdu.value) if (tlv.kind === 'other' && tlv.problem) malformed(tlv.problem, now);
    received(vdpdu.value, now);
  }
}
