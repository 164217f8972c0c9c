import { findOrganizational } from '../lldp/organizational.ts';
import type { Lldpdu, LldpTlv } from '../lldp/packet.ts';
import {
  assignChannels,
  cdcpOui,
  cdcpSubtype,
  decodeCdcpTlv,
  onlyTheDefaultChannel,
  type CdcpTlv,
  type SChannelPool,
} from './cdcp.ts';
import { evbOperation, hasForgotten, hearEvb, localEvb, nothingHeard, type HeardEvb } from './evb.ts';
import type { EvbOperation, EvbParameters, VsiCount } from './parameters.ts';
import type { EvbRole } from './ratified.ts';

export interface EvbOptions {
  /** the S-VLANs to offer (bridge); the default is the default channel alone */
  readonly sChannels?: SChannelPool;
  readonly evb: EvbParameters;
}

/** What one end of a link has heard of EVB from the other, and what both hold to by that. */
export class EvbAgreement {
  readonly #role: EvbRole;
  readonly #options: EvbOptions;
  #heard: HeardEvb = nothingHeard;
  #operation: EvbOperation;
  #channels: CdcpTlv | null = null;

  constructor(role: EvbRole, options: EvbOptions) {
    this.#role = role;
    this.#options = options;
    this.#operation = evbOperation(role, options.evb, nothingHeard);
  }

  get operation(): EvbOperation {
    return this.#operation;
  }

  /** the answer to the station's last CDCP TLV */
  get channels(): CdcpTlv | null {
    return this.#channels;
  }

  /** What the LLDPDU says; nothing follows of it yet. Null: its sender is no counterpart of this end. */
  read(lldpdu: Lldpdu): HeardEvb | null {
    return hearEvb(this.#role, this.#options.evb, lldpdu);
  }

  /** Gives the station the S-channels that it asks for. */
  assign(lldpdu: Lldpdu): void {
    const asked =
      this.#role === 'bridge' ? findOrganizational(lldpdu, cdcpOui, cdcpSubtype, decodeCdcpTlv) : null;
    const { sChannels = onlyTheDefaultChannel } = this.#options;
    const before = this.#channels?.channels ?? [];
    this.#channels = asked?.role === 'station' ? assignChannels(asked, sChannels, before) : null;
  }

  /** The neighbour has forgotten what it knew of this end when it was heard before. */
  isForgotten(now: HeardEvb): boolean {
    return hasForgotten(this.#role, this.#heard, now);
  }

  agree(heard: HeardEvb): void {
    this.#heard = heard;
    this.#operation = evbOperation(this.#role, this.#options.evb, heard);
  }

  /** The neighbour is lost. What is held goes on by the times that were agreed on, so that a short silence costs nothing. */
  lose(): void {
    this.#heard = nothingHeard;
    this.#channels = null;
    this.#operation = { ...this.#operation, negotiated: false, reflectiveRelay: false, groupIds: false };
  }

  /** The EVB TLVs to send. */
  tlvs(vsis: VsiCount): LldpTlv[] {
    return localEvb(this.#role, this.#options.evb, this.#heard, vsis);
  }
}
