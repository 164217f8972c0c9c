import ipaddr from 'ipaddr.js';
import { macToBytes, parseMac } from '../../../src/domain/mac-address.ts';

export const broadcast = 'ff:ff:ff:ff:ff:ff';

/** An Ethernet frame of at least 60 octets; `tci` puts an 802.1Q tag on it. */
export function ethernet(
  destination: string,
  source: string,
  etherType: number,
  payload: Uint8Array = new Uint8Array(0),
  tci?: number,
): Uint8Array {
  const tag = tci === undefined ? [] : [0x81, 0x00, tci >> 8, tci & 0xff];
  const frame = [
    ...macToBytes(parseMac(destination)),
    ...macToBytes(parseMac(source)),
    ...tag,
    etherType >> 8,
    etherType & 0xff,
    ...payload,
  ];
  while (frame.length < 60 + tag.length) frame.push(0);
  return Uint8Array.from(frame);
}

/** A frame of an ethertype for experiments, whose payload is a text to know it again by. */
export function plain(destination: string, source: string, text: string, tci?: number): Uint8Array {
  return ethernet(destination, source, 0x88b5, Buffer.from(text), tci);
}

interface Segment {
  readonly protocol?: number;
  readonly sourcePort?: number;
  readonly destinationPort?: number;
  /** fragment offset in units of eight octets */
  readonly offset?: number;
  readonly length?: number;
}

function transport({ sourcePort = 1000, destinationPort = 2000, length = 8 }: Segment): number[] {
  const octets = [sourcePort >> 8, sourcePort & 0xff, destinationPort >> 8, destinationPort & 0xff];
  while (octets.length < length) octets.push(0);
  return octets.slice(0, length);
}

/** An IPv4 packet with the beginning of a UDP, TCP or other segment. */
export function ipv4(from: string, to: string, segment: Segment = {}): Uint8Array {
  const upper = transport(segment);
  const packet = new Uint8Array(20 + upper.length);
  const view = new DataView(packet.buffer);
  view.setUint8(0, 0x45);
  view.setUint16(2, packet.length);
  view.setUint16(6, segment.offset ?? 0);
  view.setUint8(8, 64);
  view.setUint8(9, segment.protocol ?? 17);
  packet.set(ipaddr.parse(from).toByteArray(), 12);
  packet.set(ipaddr.parse(to).toByteArray(), 16);
  packet.set(upper, 20);
  return packet;
}

/** An IPv6 packet; `extensions` are the types of the extension headers, each eight octets long, before the segment. */
export function ipv6(
  from: string,
  to: string,
  segment: Segment = {},
  extensions: readonly number[] = [],
): Uint8Array {
  const chain = [...extensions, segment.protocol ?? 17];
  const upper = transport(segment);
  const packet = new Uint8Array(40 + 8 * extensions.length + upper.length);
  const view = new DataView(packet.buffer);
  view.setUint8(0, 0x60);
  view.setUint16(4, packet.length - 40);
  view.setUint8(6, chain[0]!);
  view.setUint8(7, 64);
  packet.set(ipaddr.parse(from).toByteArray(), 8);
  packet.set(ipaddr.parse(to).toByteArray(), 24);
  extensions.forEach((type, i) => {
    view.setUint8(40 + 8 * i, chain[i + 1]!);
    if (type === 44) view.setUint16(42 + 8 * i, (segment.offset ?? 0) << 3);
  });
  packet.set(upper, 40 + 8 * extensions.length);
  return packet;
}

/** A gratuitous ARP request (RFC 5227); with another target, an ordinary one. */
export function gratuitousArp(source: string, address = '10.0.0.9', target = address): Uint8Array {
  const arp = new Uint8Array(28);
  arp.set([0, 1, 8, 0, 6, 4, 0, 1]);
  arp.set(macToBytes(parseMac(source)), 8);
  arp.set(ipaddr.parse(address).toByteArray(), 14);
  arp.set(ipaddr.parse(target).toByteArray(), 24);
  return ethernet(broadcast, source, 0x0806, arp);
}

/** What QEMU sends of a machine that has arrived (RFC 903). */
export function rarp(source: string): Uint8Array {
  return ethernet(broadcast, source, 0x8035, Uint8Array.from([0, 1, 8, 0, 6, 4, 0, 3]));
}

/** A neighbour advertisement to all nodes; `solicited` is an answer to somebody. */
export function neighbourAdvertisement(source: string, solicited = false): Uint8Array {
  const packet = ipv6('fe80::9', 'ff02::1', { protocol: 58, length: 24 });
  packet.set([136, 0, 0, 0, solicited ? 0x60 : 0x20], 40);
  return ethernet('33:33:00:00:00:01', source, 0x86dd, packet);
}
