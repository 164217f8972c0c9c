import type { DialectName } from '../domain/dialect.ts';
import type { MacAddress } from '../domain/mac-address.ts';
import type { UpperLayerName } from './ecp/ecp.ts';
import type { Ecpdu } from './ecp/ratified.ts';
import type { EvbRole } from './evb/ratified.ts';
import type { Result } from '../base/result.ts';
import type { AssociationTlv, VdpTlv } from './vdp/tlv.ts';

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
