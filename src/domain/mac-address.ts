import { Invalid } from '../base/invalid.ts';

/** An EUI-48 in canonical text: six lower-case hexadecimal octets joined by colons. */
export type MacAddress = string & { readonly __brand: 'MacAddress' };

const text = /^([0-9a-f]{2}[:-]){5}[0-9a-f]{2}$/i;

/** @throws Invalid unless `value` is six hexadecimal octets joined by colons or hyphens. */
export function parseMac(value: string): MacAddress {
  if (!text.test(value)) throw new Invalid(`"${value}" is not a MAC address like 52:54:00:00:00:0a`);
  return value.toLowerCase().replaceAll('-', ':') as MacAddress;
}

/** A VM NIC's own address: unicast and not all zero. @throws Invalid */
export function parseUnicastMac(value: string): MacAddress {
  const mac = parseMac(value);
  if (isGroup(mac)) throw new Invalid(`"${value}" is a group address; a VM NIC needs a unicast one`);
  if (mac === '00:00:00:00:00:00') throw new Invalid(`"${value}" is the null address`);
  return mac;
}

/** Reads six octets at `offset`; the caller has checked the length. */
export function macFromBytes(bytes: Uint8Array, offset = 0): MacAddress {
  let mac = '';
  for (let i = 0; i < 6; i++) mac += (i ? ':' : '') + bytes[offset + i]!.toString(16).padStart(2, '0');
  return mac as MacAddress;
}

/** Six octets, in transmission order. */
export function macToBytes(mac: MacAddress): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(6);
  for (let i = 0; i < 6; i++) bytes[i] = Number.parseInt(mac.slice(3 * i, 3 * i + 2), 16);
  return bytes;
}

/** Individual/Group bit set: multicast or broadcast (IEEE 802, clause 8). */
export function isGroup(mac: MacAddress): boolean {
  return (Number.parseInt(mac.slice(0, 2), 16) & 1) === 1;
}
