import type { Dialect } from '../dialect.ts';
import type { UpperLayer } from '../ecp/ecp.ts';
import type { EvbRole } from '../evb/ratified.ts';
import { VdpOutbox, type Item } from './outbox.ts';
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
  #inFlight: readonly Item[] = [];

  constructor(options: VdpCarrierOptions) {
    this.#options = options;
    this.#outbox = new VdpOutbox(options.limit);
  }

  /** False if too much waits already, or the version has no words for it. */
  put(tlv: AssociationTlv): boolean {
    return this.#outbox.put(tlv, this.#options.dialect());
  }

  clear(): void {
    this.#outbox.clear();
  }

  hasMore(): boolean {
    return this.#outbox.size > 0;
  }

  pull(): Uint8Array | null {
    const gathered = this.#outbox.take();
    this.#inFlight = gathered?.items ?? [];
    return gathered?.payload ?? null;
  }

  settled(acknowledged: boolean): void {
    this.#options.settled(
      acknowledged ? this.#inFlight.map(({ tlv }) => tlv) : this.#outbox.putBack(this.#inFlight),
    );
  }

  received(payload: Uint8Array, now: number): void {
    const { role, dialect, received, malformed } = this.#options;
    const vdpdu = dialect().vdp.decode(role, payload);
    if (vdpdu.ok) received(vdpdu.value, now);
    else malformed(vdpdu.error.message, now);
  }
}
