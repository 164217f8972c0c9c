import { etherTypes } from '../domain/packet-numbers.ts';
import { macFromBytes, macToBytes, type MacAddress } from '../domain/mac-address.ts';
import { u16 } from '../base/octets.ts';
import { malformed, ok, type Result } from '../base/result.ts';

/*
 *  0                 6                 12       14                      60 … 1514
 * +-----------------+-----------------+--------+-----------------------+
 * | destination     | source          | type   | payload, zero padded  |
 * +-----------------+-----------------+--------+-----------------------+
 */

/** An untagged frame without check sequence (IEEE 802.3 3.2). LLDP, ECP and VDP are never tagged on a station port. */
export interface Frame {
  readonly destination: MacAddress;
  readonly source: MacAddress;
  /** 0x0600 to 0xffff */
  readonly etherType: number;
  /** at most 1,500 octets; decoded, it includes the padding */
  readonly payload: Uint8Array;
}

/** The nearest customer bridge group address: LLDP with the EVB TLV, and ratified ECP, go to it (802.1Q table 8-1). */
export const nearestCustomerBridge = '01:80:c2:00:00:00' as MacAddress;

/** The nearest bridge group address: ECP of draft 0.2 goes to it, and most of the world's LLDP. */
export const nearestBridge = '01:80:c2:00:00:0e' as MacAddress;

export const nearestNonTpmrBridge = '01:80:c2:00:00:03' as MacAddress;

/** The frames of LLDP and ECP, in both dialects: what a socket of an agent is to hear, and nothing else. */
export const controlEtherTypes = [etherTypes.lldp, etherTypes.ecp, etherTypes.draftEcp] as const;

/** All that a port has to receive. */
export const groupAddresses = [nearestCustomerBridge, nearestBridge, nearestNonTpmrBridge] as const;

const header = 14;
const shortest = 60;
export const longestPayload = 1500;

/** Takes 14 to 1,514 octets; a length field in place of the type is refused. The payload is a view, not a copy. */
export function decodeFrame(bytes: Uint8Array): Result<Frame> {
  if (bytes.length < header || bytes.length > header + longestPayload)
    return malformed('frame', `${bytes.length} octets; a control frame has ${header} to 1514`);
  const etherType = u16(bytes, 12);
  if (etherType < 0x600) return malformed('frame', `type ${hex(etherType)}; a type is 0x0600 or more`);
  return ok({
    destination: macFromBytes(bytes, 0),
    source: macFromBytes(bytes, 6),
    etherType,
    payload: bytes.subarray(header),
  });
}

/** Pads with zeros to the 60 octets that the medium wants. */
export function encodeFrame(frame: Frame): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(Math.max(shortest, header + frame.payload.length));
  bytes.set(macToBytes(frame.destination), 0);
  bytes.set(macToBytes(frame.source), 6);
  bytes[12] = frame.etherType >> 8;
  bytes[13] = frame.etherType & 0xff;
  bytes.set(frame.payload, header);
  return bytes;
}

function hex(type: number): string {
  return `0x${type.toString(16).padStart(4, '0')}`;
}
