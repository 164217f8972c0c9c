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
  const total = 20 + upper.length;
  const offset = segment.offset ?? 0;
  return Uint8Array.from([
    ...[
      0x45,
      0,
      total >> 8,
      total & 0xff,
      0,
      0,
      offset >> 8,
      offset & 0xff,
      64,
      segment.protocol ?? 17,
      0,
      0,
    ],
    ...ipaddr.parse(from).toByteArray(),
    ...ipaddr.parse(to).toByteArray(),
    ...upper,
  ]);
}

/** An IPv6 packet; `extensions` are the values of the extension headers, each eight octets long, before the segment. */
export function ipv6(from: string, to: string, segment: Segment = {}, extensions: number[] = []): Uint8Array {
  const chain = [...extensions, segment.protocol ?? 17];
  const offset = (segment.offset ?? 0) << 3;
  const body = extensions.flatMap((type, i) =>
    type === 44
      ? [chain[i + 1]!, 0, offset >> 8, offset & 0xff, 0, 0, 0, 1]
      : [chain[i + 1]!, 0, 0, 0, 0, 0, 0, 0],
  );
  const upper = [...body, ...transport(segment)];
  return Uint8Array.from([
    ...[0x60, 0, 0, 0, upper.length >> 8, upper.length & 0xff, chain[0]!, 64],
    ...ipaddr.parse(from).toByteArray(),
    ...ipaddr.parse(to).toByteArray(),
    ...upper,
  ]);
}

/** A gratuitous ARP request (RFC 5227). */
export function gratuitousArp(source: string, address = '10.0.0.9', target = address): Uint8Array {
  return ethernet(
    broadcast,
    source,
    0x0806,
    Uint8Array.from([
      ...[0, 1, 8, 0, 6, 4, 0, 1],
      ...macToBytes(parseMac(source)),
      ...ipaddr.parse(address).toByteArray(),
      ...[0, 0, 0, 0, 0, 0],
      ...ipaddr.parse(target).toByteArray(),
    ]),
  );
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
