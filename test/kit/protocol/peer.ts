import assert from 'node:assert/strict';
import type { MacAddress } from '../../../src/domain/mac-address.ts';
import { decodeEcpdu, encodeEcpdu, vdpSubtype } from '../../../src/protocol/ecp/ratified.ts';
import { decodeFrame, encodeFrame, nearestCustomerBridge } from '../../../src/protocol/ethernet.ts';
import { etherTypes } from '../../../src/domain/packet-numbers.ts';
import {
  draftEvbSubtype,
  draftOui,
  encodeDraftEvbTlv,
  type DraftEvbTlv,
} from '../../../src/protocol/evb/draft.ts';
import {
  decodeEvbTlv,
  encodeEvbTlv,
  evbOui,
  evbSubtype,
  type EvbTlv,
} from '../../../src/protocol/evb/ratified.ts';
import { decodeLldpdu, encodeLldpdu, type LldpTlv } from '../../../src/protocol/lldp/packet.ts';
import type { Result } from '../../../src/base/result.ts';
import { decodeVdpdu, encodeVdpdu } from '../../../src/protocol/vdp/ratified.ts';
import type { VdpTlv } from '../../../src/protocol/vdp/tlv.ts';
import type { VdpMode, VdpRequest } from '../../../src/protocol/vdp/association.ts';
import type { VsiDescription } from '../../../src/protocol/vdp/station.ts';
import { profile } from './fixtures.ts';

export function must<T>(result: Result<T>): T {
  assert.ok(result.ok, result.ok ? '' : `${result.error.unit}: ${result.error.message}`);
  return result.value;
}

/** What a frame is, in short; the tests compare these. */
export type Seen =
  | { readonly lldp: { readonly ttl: number; readonly evb: EvbTlv | null } }
  | { readonly ack: number }
  | { readonly seq: number; readonly tlvs: readonly VdpTlv[] };

export function see(octets: Uint8Array): Seen {
  const frame = must(decodeFrame(octets));
  if (frame.etherType === etherTypes.lldp) {
    const { ttl, tlvs } = must(decodeLldpdu(frame.payload));
    const evb = tlvs.find(
      (tlv) => tlv.kind === 'organizational' && tlv.oui === evbOui && tlv.subtype === evbSubtype,
    );
    return { lldp: { ttl, evb: evb?.kind === 'organizational' ? must(decodeEvbTlv(evb.info)) : null } };
  }
  const { operation, sequence, payload } = must(decodeEcpdu(frame.payload));
  if (operation === 'acknowledgement') return { ack: sequence };
  return { seq: sequence, tlvs: must(decodeVdpdu(payload)).tlvs };
}

/** The frames among a machine's outputs. */
export function sent(outputs: readonly { readonly kind: string }[]): Seen[] {
  return outputs.flatMap((output) => ('frame' in output ? [see(output.frame as Uint8Array)] : []));
}

/** The rest, but for what the agent keeps for its next run. */
export function told<Output extends { readonly kind: string }>(
  outputs: readonly Output[],
): Exclude<Output, { kind: 'send' | 'place' }>[] {
  return outputs.filter(
    (output): output is Exclude<Output, { kind: 'send' | 'place' }> =>
      output.kind !== 'send' && output.kind !== 'place',
  );
}

export const stationEvb: EvbTlv = {
  mode: 'station',
  bridge: { bgid: false, rrcap: true, rrctr: true },
  station: { sgid: false, rrreq: true, rrstat: 1 },
  retries: 3,
  rte: 8,
  rwd: 16,
  rwdRemote: false,
  rka: 16,
  rkaRemote: false,
};

/** As lldpad's first TLV after its start: nothing heard of the bridge. */
export const freshStationEvb: EvbTlv = {
  ...stationEvb,
  bridge: { bgid: false, rrcap: false, rrctr: false },
  station: { sgid: false, rrreq: true, rrstat: 3 },
};

export const bridgeEvb: EvbTlv = { ...stationEvb, mode: 'bridge' };

/** Frames from one address, made by hand. */
export class Peer {
  readonly #mac: MacAddress;

  constructor(mac: MacAddress) {
    this.#mac = mac;
  }

  lldp(
    evb: EvbTlv | null,
    ttl = 121,
    chassis = 'host1',
    more: {
      readonly destination?: MacAddress;
      readonly tlvs?: readonly LldpTlv[];
      readonly port?: string;
    } = {},
  ): Uint8Array {
    const organizational = { kind: 'organizational', oui: evbOui, subtype: evbSubtype } as const;
    return this.#frame(
      etherTypes.lldp,
      encodeLldpdu({
        chassisId: { subtype: 7, id: new TextEncoder().encode(chassis) },
        portId: { subtype: 5, id: new TextEncoder().encode(more.port ?? 'eth0') },
        ttl,
        tlvs: [...(evb ? [{ ...organizational, info: encodeEvbTlv(evb) }] : []), ...(more.tlvs ?? [])],
      }),
      more.destination,
    );
  }

  ecp(
    sequence: number,
    tlvs: readonly VdpTlv[],
    subtype = vdpSubtype,
    managerId = profile.managerId,
  ): Uint8Array {
    const payload = encodeVdpdu({ managerId, tlvs });
    return this.#frame(etherTypes.ecp, encodeEcpdu({ operation: 'request', subtype, sequence, payload }));
  }

  ack(sequence: number, subtype = vdpSubtype): Uint8Array {
    const payload = new Uint8Array();
    return this.#frame(
      etherTypes.ecp,
      encodeEcpdu({ operation: 'acknowledgement', subtype, sequence, payload }),
    );
  }

  raw(etherType: number, payload: Uint8Array): Uint8Array {
    return this.#frame(etherType, payload);
  }

  #frame(etherType: number, payload: Uint8Array, destination = nearestCustomerBridge): Uint8Array {
    return encodeFrame({ destination, source: this.#mac, etherType, payload });
  }
}

export function asked(mode: VdpMode, { vsiId, profile, filter, hints }: VsiDescription): VdpRequest {
  return {
    kind: 'request',
    mode,
    vsiId,
    profile,
    filter,
    hints: hints ?? { migrating: false, suspended: false },
  };
}

/** As lldpad's in draft 0.2, once it has heard the other side. */
export const draftEvb: DraftEvbTlv = {
  supported: {
    standard: false,
    reflectiveRelay: true,
    capabilities: { rte: true, ecp: true, vdp: true },
    vsis: 0,
  },
  current: {
    standard: false,
    reflectiveRelay: true,
    capabilities: { rte: true, ecp: true, vdp: true },
    vsis: 0,
  },
  rte: 15,
};

/** An LLDPDU with the EVB TLV of draft 0.2. */
export function draftLldp(source: MacAddress, evb: DraftEvbTlv = draftEvb): Uint8Array {
  const info = encodeDraftEvbTlv(evb);
  return new Peer(source).lldp(null, 121, 'host1', {
    tlvs: [{ kind: 'organizational', oui: draftOui, subtype: draftEvbSubtype, info }],
  });
}
