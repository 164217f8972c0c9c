import { bigEndian, concat, u16, u24 } from '../../base/octets.ts';
import { malformed, ok, type Result } from '../../base/result.ts';
import type { Ecpdu } from './ratified.ts';

/*
 *  0          3      4               6        7                  9
 * +----------+------+---------------+--------+------------------+----------
 * | 00-1B-3F | 0x00 | subtype (16)  | mode   | sequence (16)    | payload …
 * +----------+------+---------------+--------+------------------+----------
 * mode: 0 request, 1 acknowledgement
 */

/** VDP's subtype in draft 0.2. */
export const draftVdpSubtype = 0;
export const draftHeaderLength = 9;
const oui = 0x001b3f;

/** Takes the payload of a frame of type 0x88b7 (802.1Qbg draft 0.2). */
export function decodeDraftEcpdu(bytes: Uint8Array): Result<Ecpdu> {
  if (bytes.length < draftHeaderLength)
    return malformed('ECPDU', `${bytes.length} octets; its header has ${draftHeaderLength} in draft 0.2`);
  if (u24(bytes, 0) !== oui || bytes[3] !== 0)
    return malformed('ECPDU', 'does not begin with 00-1B-3F/0, as one of draft 0.2 does');
  const mode = bytes[6]!;
  if (mode > 1) return malformed('ECPDU', `mode ${mode}; 0 is a request, 1 an acknowledgement`);
  return ok({
    operation: mode === 0 ? 'request' : 'acknowledgement',
    subtype: u16(bytes, 4),
    sequence: u16(bytes, 7),
    payload: bytes.subarray(draftHeaderLength),
  });
}

export function encodeDraftEcpdu({ operation, subtype, sequence, payload }: Ecpdu): Uint8Array<ArrayBuffer> {
  const header = [
    ...bigEndian(oui, 3),
    0,
    ...bigEndian(subtype, 2),
    operation === 'request' ? 0 : 1,
    ...bigEndian(sequence, 2),
  ];
  return concat([Uint8Array.from(header), payload]);
}
