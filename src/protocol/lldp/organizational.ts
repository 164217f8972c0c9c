import type { Result } from '../../base/result.ts';
import type { Lldpdu, LldpTlv } from './packet.ts';

export function organizational(oui: number, subtype: number, info: Uint8Array): LldpTlv {
  return { kind: 'organizational', oui, subtype, info };
}

/** The first TLV of this organization and subtype; null without one, and if it is not exactly what it claims to be. */
export function findOrganizational<T>(
  { tlvs }: Lldpdu,
  oui: number,
  subtype: number,
  decode: (info: Uint8Array) => Result<T>,
): T | null {
  for (const tlv of tlvs)
    if (tlv.kind === 'organizational' && tlv.oui === oui && tlv.subtype === subtype) {
      const decoded = decode(tlv.info);
      return decoded.ok ? decoded.value : null;
    }
  return null;
}
