import { decodeEcpdu } from '../../../src/protocol/ecp/ratified.ts';
import { decodeFrame } from '../../../src/protocol/ethernet.ts';
import { etherTypes } from '../../../src/domain/packet-numbers.ts';
import { findSignature } from '../../../src/protocol/signed/tlv.ts';
import { must } from './peer.ts';

/** Of an LLDPDU, or an ECPDU of the ratified version. */
export function isSigned(octets: Uint8Array): boolean {
  const { etherType, payload } = must(decodeFrame(octets));
  const tlvs = etherType === etherTypes.lldp ? payload : must(decodeEcpdu(payload)).payload;
  return findSignature(tlvs) !== null;
}

/** Whether it is an ECP request, of the ratified version. */
export function isRequest(octets: Uint8Array): boolean {
  const { etherType, payload } = must(decodeFrame(octets));
  return etherType === etherTypes.ecp && must(decodeEcpdu(payload)).operation === 'request';
}

export function isLldp(octets: Uint8Array): boolean {
  return must(decodeFrame(octets)).etherType === etherTypes.lldp;
}
