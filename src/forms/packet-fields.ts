import ipaddr from 'ipaddr.js';
import { etherTypes as numbers, ipProtocols } from '../domain/packet-numbers.ts';
import { Invalid } from '../base/invalid.ts';
import { macFromBytes, macToBytes, parseMac } from '../domain/mac-address.ts';
import type { AddressMatch, IpPrefix, MacMatch, PortRange } from '../domain/port-profile.ts';

/** What people call by name. */
const etherTypes: Readonly<Record<string, number>> = {
  ipv4: numbers.ipv4,
  arp: numbers.arp,
  ipv6: numbers.ipv6,
};
const protocols: Readonly<Record<string, number>> = ipProtocols;

/** @throws Invalid unless `value` is an IPv4 or IPv6 address or a prefix whose other bits are zero. */
export function parsePrefix(value: string): IpPrefix {
  const [text = '', bits, ...rest] = value.split('/');
  const address = parseAddress(text);
  if (!address || rest.length > 0 || (bits !== undefined && !/^\d{1,3}$/.test(bits)))
    throw new Invalid(`"${value}" is not an IP prefix; 10.0.0.0/8 or 2001:db8::/32 would be right`);
  const full = address.kind() === 'ipv4' ? 32 : 128;
  const length = bits === undefined ? full : Number(bits);
  if (length > full)
    throw new Invalid(`"${value}" has more bits than its address; at most /${full} is right`);
  const network = networkOf(address, length);
  if (network !== textOf(address))
    throw new Invalid(`"${value}" has bits beyond its prefix; ${network}/${length} would be right`);
  return { address: network, length };
}

export function formatPrefix({ address, length }: IpPrefix): string {
  return `${address}/${length}`;
}

/** @throws Invalid unless an IPv4 or IPv6 address; canonical text */
export function parseIpAddress(value: string): string {
  const address = parseAddress(value);
  if (!address) throw new Invalid(`"${value}" is not an IP address; 10.0.0.1 or 2001:db8::1 would be right`);
  return textOf(address);
}

/** 4 or 16 octets as canonical text. */
export function formatIpOctets(octets: Uint8Array): string {
  return textOf(ipaddr.fromByteArray([...octets]));
}

/** @throws Invalid unless a prefix, or "@" and a set's name. */
export function parseAddressMatch(value: string): AddressMatch {
  return value.startsWith('@') ? { set: value.slice(1) } : parsePrefix(value);
}

export function formatAddressMatch(match: AddressMatch): string {
  return 'set' in match ? `@${match.set}` : formatPrefix(match);
}

const wholeMac = parseMac('ff:ff:ff:ff:ff:ff');

/** @throws Invalid unless an address, or an address and a mask whose other bits are zero in the address. */
export function parseMacMatch(value: string): MacMatch {
  const [first = '', second, ...rest] = value.split('/');
  const address = parseMac(first);
  const mask = second === undefined ? wholeMac : parseMac(second);
  const [addressOctets, maskOctets] = [macToBytes(address), macToBytes(mask)];
  const network = macFromBytes(addressOctets.map((octet, i) => octet & maskOctets[i]!));
  if (rest.length > 0 || network !== address)
    throw new Invalid(`"${value}" has bits beyond its mask; ${network}/${mask} would be right`);
  return { address, mask };
}

export function formatMacMatch({ address, mask }: MacMatch): string {
  return mask === wholeMac ? address : `${address}/${mask}`;
}

/** @throws Invalid unless a port from 0 to 65535 or a range of them. */
export function parsePorts(value: string | number): PortRange {
  const [, first, last = first] = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(String(value)) ?? [];
  const [from, to] = [Number(first), Number(last)];
  if (!(from <= to && to <= 0xffff))
    throw new Invalid(`"${value}" is not a port or a range of ports; 80 or 8000-8080 would be right`);
  return { from, to };
}

export function formatPorts({ from, to }: PortRange): string {
  return from === to ? `${from}` : `${from}-${to}`;
}

/** @throws Invalid unless a known name, or a number from 0x0600 to 0xffff. */
export function parseEtherType(value: string | number): number {
  const number = namedNumber(value, etherTypes);
  if (!(number >= 0x0600 && number <= 0xffff))
    throw new Invalid(
      `"${value}" is not an EtherType; ${Object.keys(etherTypes).join(', ')} or 0x0600 to 0xffff would be right`,
    );
  return number;
}

export function formatEtherType(value: number): string {
  return nameOf(value, etherTypes) ?? `0x${value.toString(16).padStart(4, '0')}`;
}

/** @throws Invalid unless a known name, or a number from 0 to 255. */
export function parseProtocol(value: string | number): number {
  const number = namedNumber(value, protocols);
  if (!(number >= 0 && number <= 255))
    throw new Invalid(
      `"${value}" is not an IP protocol; ${Object.keys(protocols).join(', ')} or 0 to 255 would be right`,
    );
  return number;
}

export function formatProtocol(value: number): string | number {
  return nameOf(value, protocols) ?? value;
}

/** NaN for what is neither a name in `names` nor an integer in decimal or hexadecimal. */
function namedNumber(value: string | number, names: Readonly<Record<string, number>>): number {
  if (typeof value === 'number') return Number.isInteger(value) ? value : NaN;
  const key = value.toLowerCase();
  if (Object.hasOwn(names, key)) return names[key]!;
  return /^(\d{1,5}|0x[0-9a-f]{1,4})$/.test(key) ? Number(key) : NaN;
}

function nameOf(value: number, names: Readonly<Record<string, number>>): string | undefined {
  return Object.keys(names).find((name) => names[name] === value);
}

/** Four decimal octets or RFC 4291 text without a zone; not the shorter and octal forms that inet_aton takes. */
function parseAddress(text: string): ipaddr.IPv4 | ipaddr.IPv6 | undefined {
  if (ipaddr.IPv4.isValidFourPartDecimal(text) && !/(^|\.)0\d/.test(text)) return ipaddr.IPv4.parse(text);
  if (ipaddr.IPv6.isValid(text) && !text.includes('%')) return ipaddr.IPv6.parse(text);
  return undefined;
}

function textOf(address: ipaddr.IPv4 | ipaddr.IPv6): string {
  return address instanceof ipaddr.IPv6 ? address.toRFC5952String() : address.toString();
}

function networkOf(address: ipaddr.IPv4 | ipaddr.IPv6, length: number): string {
  const octets = address.toByteArray().map((octet, i) => octet & (0xff00 >> clamp(length - 8 * i, 0, 8)));
  return textOf(ipaddr.fromByteArray(octets.map((octet) => octet & 0xff)));
}

function clamp(value: number, least: number, most: number): number {
  return Math.min(Math.max(value, least), most);
}
