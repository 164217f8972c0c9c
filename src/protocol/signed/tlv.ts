import { organizational } from '../lldp/organizational.ts';
import type { LldpTlv, Lldpdu } from '../lldp/packet.ts';
import { bigEndian, concat, u24, u32 } from '../../base/octets.ts';
import { decodeTlvs, encodeTlv } from '../tlv.ts';
import { macLength } from './hmac.ts';

/*
 * Both are of type 127 (organizationally specific).
 *
 *  0          3      4           5
 * +----------+------+-----------+
 * | 02-48-50 | 0x01 | version 1 |      in an LLDPDU: "I verify signatures, and sign for whoever says this too"
 * +----------+------+-----------+
 *
 *  0          3      4            8               12                28
 * +----------+------+------------+---------------+-----------------+
 * | 02-48-50 | 0x02 | epoch (32) | sequence (32) | HMAC-SHA-256    |      in LLDPDUs and ECP requests: the last
 * |          |      |            |               | (first half)    |      TLV before the End TLV
 * +----------+------+------------+---------------+-----------------+
 */

/** A locally administered one: nobody has assigned Hairpin an OUI. */
export const hairpinOui = 0x024850;
const offerSubtype = 1;
const signatureSubtype = 2;
const version = 1;
const organizationalType = 127;
const macOffset = 12;
/** Of the whole TLV: what a frame has to leave room for. */
export const signatureTlvLength = 2 + macOffset + macLength;

/** Where a signer is in the order of what it has signed. */
export interface Counter {
  /** 32 bits; larger with every start of the signer */
  readonly epoch: number;
  /** 32 bits; larger with every frame */
  readonly sequence: number;
}

/** Below 0: `a` came before `b`. */
export function compareCounters(a: Counter, b: Counter): number {
  return a.epoch - b.epoch || a.sequence - b.sequence;
}

export const offer: LldpTlv = organizational(hairpinOui, offerSubtype, Uint8Array.of(version));

export function offersSignatures({ tlvs }: Lldpdu): boolean {
  return tlvs.some(
    (tlv) =>
      tlv.kind === 'organizational' &&
      tlv.oui === hairpinOui &&
      tlv.subtype === offerSubtype &&
      tlv.info[0] === version,
  );
}

/** The TLV but for its last field, the HMAC, which is to follow. */
export function signatureHead({ epoch, sequence }: Counter): Uint8Array<ArrayBuffer> {
  const head = [
    ...bigEndian(hairpinOui, 3),
    signatureSubtype,
    ...bigEndian(epoch, 4),
    ...bigEndian(sequence, 4),
  ];
  const whole = encodeTlv({
    type: organizationalType,
    info: concat([Uint8Array.from(head), new Uint8Array(macLength)]),
  });
  return whole.subarray(0, -macLength);
}

export interface SignatureTlv {
  readonly counter: Counter;
  readonly mac: Uint8Array;
}

/** The signature that closes a sequence of TLVs; null without one. */
export function findSignature(tlvs: Uint8Array): SignatureTlv | null {
  const decoded = decodeTlvs(tlvs);
  const last = decoded.ok ? decoded.value.at(-1) : undefined;
  if (last?.type !== organizationalType || last.info.length !== macOffset + macLength) return null;
  const { info } = last;
  if (u24(info, 0) !== hairpinOui || info[3] !== signatureSubtype) return null;
  return { counter: { epoch: u32(info, 4), sequence: u32(info, 8) }, mac: info.subarray(macOffset) };
}
