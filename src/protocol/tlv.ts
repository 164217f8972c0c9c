import { concat, u16 } from '../base/octets.ts';
import { malformed, ok, type Result } from '../base/result.ts';

/*
 *  0            7                16
 * +------------+-----------------+--------------------------+
 * | type (7)   | length (9)      | information, 0 … 511     |
 * +------------+-----------------+--------------------------+
 * LLDPDUs (802.1AB 8.4) and VDPDUs (802.1Q 41.2) are sequences of these, closed by type 0 with length 0.
 */

export interface Tlv {
  /** 0 to 127; 0 ends the sequence */
  readonly type: number;
  /** at most 511 octets */
  readonly info: Uint8Array;
}

const end = 0;
export const longestInfo = 511;

/**
 * Reads up to the End TLV or, as lldpad sends VDPDUs without one, to the last octet; what follows the End TLV is
 * padding. The infos are views. Fails when a TLV runs past the end.
 */
export function decodeTlvs(bytes: Uint8Array): Result<Tlv[]> {
  const tlvs: Tlv[] = [];
  for (let offset = 0; offset < bytes.length;) {
    if (offset + 2 > bytes.length) return malformed('TLV', `octet ${offset} is half a TLV header`);
    const type = bytes[offset]! >> 1;
    if (type === end) return ok(tlvs);
    const length = u16(bytes, offset) & 0x1ff;
    const start = offset + 2;
    offset = start + length;
    if (offset > bytes.length)
      return malformed('TLV', `type ${type} claims ${length} octets, ${bytes.length - start} are left`);
    tlvs.push({ type, info: bytes.subarray(start, offset) });
  }
  return ok(tlvs);
}

/** Appends the End TLV. */
export function encodeTlvs(tlvs: readonly Tlv[]): Uint8Array<ArrayBuffer> {
  return concat([...tlvs.map(encodeTlv), Uint8Array.of(0, 0)]);
}

export function encodeTlv({ type, info }: Tlv): Uint8Array<ArrayBuffer> {
  return concat([Uint8Array.of((type << 1) | (info.length >> 8), info.length & 0xff), info]);
}
