import type { DialectName } from '../domain/dialect.ts';
import type { MacAddress } from '../domain/mac-address.ts';
import { managerIdToBytes } from '../domain/manager-id.ts';
import { decodeDraftEcpdu, draftVdpSubtype, encodeDraftEcpdu } from './ecp/draft.ts';
import type { UpperLayerName } from './ecp/ecp.ts';
import { decodeEcpdu, encodeEcpdu, peCspSubtype, vdpSubtype, type Ecpdu } from './ecp/ratified.ts';
import { nearestBridge, nearestCustomerBridge } from './ethernet.ts';
import { etherTypes } from '../domain/packet-numbers.ts';
import type { EvbRole } from './evb/ratified.ts';
import { concat } from '../base/octets.ts';
import type { Result } from '../base/result.ts';
import { encodeTlv } from './tlv.ts';
import { decodeDraftVdp, encodeDraftVdp, isInDraft } from './vdp/draft.ts';
import { decodeVdpdu, encodeVdpTlv, managerIdType } from './vdp/ratified.ts';
import { encodeReason, withReasons } from './vdp/reason.ts';
import { managerIdOf, type AssociationTlv, type VdpTlv } from './vdp/tlv.ts';

/** How one version of 802.1Qbg puts ECP and VDP on the wire; the machines above know no versions. */
export interface Dialect {
  readonly name: DialectName;
  readonly ecp: {
    readonly etherType: number;
    readonly destination: MacAddress;
    /** of what it can carry */
    readonly subtypes: Readonly<Partial<Record<UpperLayerName, number>>>;
    /** each repeat has a sequence number of its own: lldpad drops a frame that is the same as the last */
    readonly renumbersRepeats: boolean;
    decode(payload: Uint8Array): Result<Ecpdu>;
    encode(ecpdu: Ecpdu): Uint8Array<ArrayBuffer>;
  };
  readonly vdp: {
    /** the associations in an ECPDU, as the reader's role has it */
    decode(reader: EvbRole, payload: Uint8Array): Result<readonly VdpTlv[]>;
    /** whether this version has words for it */
    canSay(tlv: AssociationTlv): boolean;
    /** one whole TLV, and a refusal's reason behind it; null if this version cannot say it */
    encode(tlv: AssociationTlv): Uint8Array | null;
    /** what has to precede the TLV; those with the same lead may share an ECPDU */
    lead(tlv: AssociationTlv): Uint8Array;
    /** lldpad has not read yet what it acknowledges, and the next ECPDU may overwrite it */
    readonly isReadLate: boolean;
  };
}

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

export const dialects: Readonly<Record<DialectName, Dialect>> = { ratified, draft };
