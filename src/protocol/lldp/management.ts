import ipaddr from 'ipaddr.js';
import { macFromBytes, macToBytes, type MacAddress } from '../../domain/mac-address.ts';
import { hex } from '../../base/octets.ts';
import type { ManagementAddress } from './packet.ts';

/** IANA address family numbers */
const families = { ipv4: 1, ipv6: 2, ieee802: 6 } as const;

/** The TLV that says: this system is managed at the IP address. `text` is one that ipaddr.js reads. */
export function managementIp(text: string): ManagementAddress {
  const address = ipaddr.parse(text);
  return tlv(families[address.kind()], Uint8Array.from(address.toByteArray()));
}

/** For a system that has no IP address (802.1AB 8.5.9). */
export function managementMac(mac: MacAddress): ManagementAddress {
  return tlv(families.ieee802, macToBytes(mac));
}

/** An IP address as text, a MAC address, or "0x" and hexadecimal octets. */
export function managementText({ subtype, address }: ManagementAddress): string {
  const { length } = address;
  if ((subtype === families.ipv4 && length === 4) || (subtype === families.ipv6 && length === 16))
    return ipaddr.fromByteArray([...address]).toString();
  return subtype === families.ieee802 && length === 6 ? macFromBytes(address) : hex(address);
}

/** Which interface has the address is not told (interface numbering 1, unknown). */
function tlv(subtype: number, address: Uint8Array): ManagementAddress {
  return {
    kind: 'management address',
    subtype,
    address,
    interfaceSubtype: 1,
    interfaceNumber: 0,
    objectId: new Uint8Array(),
  };
}
