import { bigEndian, concat, u16 } from '../../base/octets.ts';
import { malformed, ok, type Result } from '../../base/result.ts';

/*
 *  0             4        6               16                        32
 * +-------------+--------+---------------+-------------------------+----------
 * | version (4) | op (2) | subtype (10)  | sequence number (16)    | payload …
 * +-------------+--------+---------------+-------------------------+----------
 */

/** An ECP data unit (802.1Q clause 43.3), ethertype 0x8940. */
export interface Ecpdu {
  readonly operation: 'request' | 'acknowledgement';
  /** upper-layer protocol, 10 bits */
  readonly subtype: number;
  /** 16 bits */
  readonly sequence: number;
  /** an acknowledgement has none; decoded, it may be padding */
  readonly payload: Uint8Array;
}

export const vdpSubtype = 1;
export const peCspSubtype = 2;
const headerLength = 4;
const version = 1;

export function decodeEcpdu(bytes: Uint8Array): Result<Ecpdu> {
  if (bytes.length < headerLength) return malformed('ECPDU', `${bytes.length} octets; its header has 4`);
  const head = u16(bytes, 0);
  if (head >> 12 !== version) return malformed('ECPDU', `version ${head >> 12}; only 1 is known`);
  const operation = (head >> 10) & 3;
  if (operation > 1)
    return malformed('ECPDU', `operation ${operation}; 0 is a request, 1 an acknowledgement`);
  return ok({
    operation: operation === 0 ? 'request' : 'acknowledgement',
    subtype: head & 0x3ff,
    sequence: u16(bytes, 2),
    payload: bytes.subarray(headerLength),
  });
}

export function encodeEcpdu({ operation, subtype, sequence, payload }: Ecpdu): Uint8Array<ArrayBuffer> {
  const head = (version << 12) | (operation === 'request' ? 0 : 1 << 10) | subtype;
  return concat([Uint8Array.from([...bigEndian(head, 2), ...bigEndian(sequence, 2)]), payload]);
}
