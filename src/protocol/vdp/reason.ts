import { cleanText } from '../../domain/system-name.ts';
import { vsiIdFromBytes, vsiIdToBytes } from '../../domain/vsi-id.ts';
import { bigEndian, concat, u24 } from '../../base/octets.ts';
import { encodeTlv } from '../tlv.ts';
import type { VdpAnswer } from './association.ts';
import type { AssociationTlv, OtherTlv, VdpTlv } from './tlv.ts';

/*
 * Why a request was refused, in words, behind the answer that refuses it. VDP has six codes for all reasons there are.
 * It is for Hairpin's stations alone: whoever else is at a port is answered as the standard has it.
 *  0          3      4        20
 * +----------+------+--------+-----------------
 * | 02-48-50 | 0x03 | VSIID  | text in UTF-8 …      type 127 (organizationally specific)
 * +----------+------+--------+-----------------
 */

const oui = 0x024850;
const subtype = 3;
const organizational = 127;
const textOffset = 20;
const mostOctets = 255;

/** The TLV that says why; nothing if no words are given. */
export function encodeReason(tlv: AssociationTlv): Uint8Array<ArrayBuffer> {
  const reason = tlv.kind === 'answer' ? tlv.refusal?.reason : undefined;
  if (tlv.kind !== 'answer' || reason === undefined) return new Uint8Array();
  const head = Uint8Array.from([...bigEndian(oui, 3), subtype, ...vsiIdToBytes(tlv.vsiId)]);
  return encodeTlv({ type: organizational, info: concat([head, cut(reason)]) });
}

/** Gives each refusal the words that follow it; what else there is stays as it was. */
export function withReasons(tlvs: readonly VdpTlv[]): VdpTlv[] {
  const said: VdpTlv[] = [];
  for (const tlv of tlvs) {
    const last = said.at(-1);
    const answer = last?.kind === 'answer' ? explained(last, tlv) : null;
    if (answer) said[said.length - 1] = answer;
    else said.push(tlv);
  }
  return said;
}

function explained(answer: VdpAnswer, tlv: VdpTlv): VdpAnswer | null {
  if (tlv.kind !== 'other' || answer.refusal === null || !isReason(tlv)) return null;
  if (vsiIdFromBytes(tlv.info, 4) !== answer.vsiId) return null;
  const reason = cleanText(new TextDecoder().decode(tlv.info.subarray(textOffset)));
  return reason === null ? null : { ...answer, refusal: { ...answer.refusal, reason } };
}

function isReason({ type, info }: OtherTlv): boolean {
  return type === organizational && info.length > textOffset && u24(info, 0) === oui && info[3] === subtype;
}

/** Not within a character. */
function cut(text: string): Uint8Array {
  const octets = new Uint8Array(mostOctets);
  return octets.subarray(0, new TextEncoder().encodeInto(text, octets).written);
}
