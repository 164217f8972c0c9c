import type { DialectName } from '../domain/dialect.ts';
import { managerIdToBytes } from '../domain/manager-id.ts';
import type { Dialect } from './dialect.ts';
import { decodeDraftEcpdu, draftVdpSubtype, encodeDraftEcpdu } from './ecp/draft.ts';
import { decodeEcpdu, encodeEcpdu, peCspSubtype, vdpSubtype } from './ecp/ratified.ts';
import { nearestBridge, nearestCustomerBridge } from './ethernet.ts';
import { etherTypes } from '../domain/packet-numbers.ts';
import { concat } from '../base/octets.ts';
import { encodeTlv } from './tlv.ts';
import { decodeDraftVdp, encodeDraftVdp, isInDraft } from './vdp/draft.ts';
import { decodeVdpdu, encodeVdpTlv, managerIdType } from './vdp/ratified.ts';
import { encodeReason, withReasons } from './vdp/reason.ts';
import { managerIdOf } from './vdp/tlv.ts';

const ratified: Dialect = {
  name: 'ratified',
  ecp: {
    etherType: etherTypes.ecp,
    destination: nearestCustomerBridge,
    subtypes: { vdp: vdpSubtype, 'pe-csp': peCspSubtype },
    renumbersRepeats: false,
    decode: decodeEcpdu,
    encode: encodeEcpdu,
  },
  vdp: {
    decode: (_, payload) => {
      const vdpdu = decodeVdpdu(payload);
      return vdpdu.ok ? { ok: true, value: withReasons(vdpdu.value.tlvs) } : vdpdu;
    },
    canSay: () => true,
    encode: (tlv) => concat([encodeTlv(encodeVdpTlv(tlv)), encodeReason(tlv)]),
    lead: (tlv) => encodeTlv({ type: managerIdType, info: managerIdToBytes(managerIdOf(tlv)) }),
    isReadLate: true,
  },
};

const draft: Dialect = {
  name: 'draft',
  ecp: {
    etherType: etherTypes.draftEcp,
    destination: nearestBridge,
    subtypes: { vdp: draftVdpSubtype },
    renumbersRepeats: true,
    decode: decodeDraftEcpdu,
    encode: encodeDraftEcpdu,
  },
  vdp: {
    decode: (reader, payload) => {
      const tlvs = decodeDraftVdp(reader, payload);
      return tlvs.ok ? { ok: true, value: withReasons(tlvs.value) } : tlvs;
    },
    canSay: isInDraft,
    encode: (tlv) => {
      const encoded = encodeDraftVdp(tlv);
      return encoded && concat([encodeTlv(encoded), encodeReason(tlv)]);
    },
    lead: () => new Uint8Array(),
    isReadLate: false,
  },
};

/** Every version of 802.1Qbg that this side speaks. */
export const dialects: Readonly<Record<DialectName, Dialect>> = { ratified, draft };
