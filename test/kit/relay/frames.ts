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

/** The frame behind tags, each an EtherType and what follows it. */
export function behind(tags: readonly number[], frame: Uint8Array): Uint8Array {
  const octets = tags.flatMap((word) => [word >> 8, word & 0xff]);
  return Uint8Array.from([...frame.subarray(0, 12), ...octets, ...frame.subarray(12)]);
}

/** The frame as one with a length, LLC and SNAP: what its EtherType says stands behind them. */
export function snapped(
  frame: Uint8Array,
  { oui = [0, 0, 0], llc = [0xaa, 0xaa, 3], length = -1 } = {},
): Uint8Array {
  const payload = [...llc, ...oui, ...frame.subarray(12)];
  const said = length < 0 ? payload.length : length;
  return Uint8Array.from([...frame.subarray(0, 12), said >> 8, said & 0xff, ...payload]);
}

/** A frame of an ethertype for experiments, whose payload is a text to know it again by. */
export function plain(destination: string, source: string, text: string, tci?: number): Uint8Array {
  return ethernet(destination, source, 0x88b5, Buffer.from(text), tci);
}

export interface Segment {
  readonly protocol?: number;
  readonly sourcePort?: number;
  readonly destinationPort?: number;
  /** of TCP */
  readonly flags?: number;
  /** of ICMP and ICMPv6 */
  readonly type?: number;
  /** fragment offset in units of eight octets */
  readonly offset?: number;
  /** more fragments follow */
  readonly more?: boolean;
  readonly dscp?: number;
  /** congestion marks (RFC 3168) */
  readonly ecn?: number;
  readonly length?: number;
  /** of IPv6, what the header says; the default is what there is */
  readonly payload?: number;
  /** of IPv4, likewise, the header included */
  readonly total?: number;
  /** the first octets as they are, whatever the protocol */
  readonly octets?: readonly number[];
}

export const protocols = { icmp: 1, igmp: 2, tcp: 6, udp: 17, icmpv6: 58, ah: 51 } as const;

function transport(segment: Segment): number[] {
  const {
    protocol = 17,
    sourcePort = 1000,
    destinationPort = 2000,
    flags = 0,
    type = 0,
    length = 8,
  } = segment;
  const isIcmp = protocol === protocols.icmp || protocol === protocols.icmpv6 || protocol === protocols.igmp;
  const octets = segment.octets
    ? [...segment.octets]
    : isIcmp
      ? [type]
      : [sourcePort >> 8, sourcePort & 0xff, destinationPort >> 8, destinationPort & 0xff];
  while (octets.length < Math.max(length, 14)) octets.push(0);
  if (protocol === protocols.tcp && !segment.octets) octets[13] = flags;
  return octets.slice(0, segment.octets?.length ?? length);
}

/** An IPv4 packet with the beginning of a UDP, TCP or other segment, behind so many authentication headers of eight octets. */
export function ipv4(from: string, to: string, segment: Segment = {}, authenticated = 0): Uint8Array {
  const upper = transport(segment);
  const protocol = segment.protocol ?? 17;
  for (let i = 0; i < authenticated; i++) upper.unshift(i ? protocols.ah : protocol, 0, 0, 0, 0, 0, 0, 0);
  const packet = new Uint8Array(20 + upper.length);
  const view = new DataView(packet.buffer);
  view.setUint8(0, 0x45);
  view.setUint8(1, ((segment.dscp ?? 0) << 2) | (segment.ecn ?? 0));
  view.setUint16(2, segment.total ?? packet.length);
  view.setUint16(6, (segment.more ? 0x2000 : 0) | (segment.offset ?? 0));
  view.setUint8(8, 64);
  view.setUint8(9, authenticated ? protocols.ah : protocol);
  packet.set(ipaddr.parse(from).toByteArray(), 12);
  packet.set(ipaddr.parse(to).toByteArray(), 16);
  view.setUint16(10, ~onesSum(packet.subarray(0, 20)) & 0xffff);
  packet.set(upper, 20);
  return packet;
}

/** The 16-bit one's complement sum (RFC 1071): 0xffff over a header with the right checksum. */
export function onesSum(octets: Uint8Array): number {
  let sum = 0;
  octets.forEach((octet, i) => (sum += i & 1 ? octet : octet << 8));
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
  return sum;
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
  view.setUint16(0, 0x6000 | ((segment.dscp ?? 0) << 6) | ((segment.ecn ?? 0) << 4));
  view.setUint16(4, segment.payload ?? packet.length - 40);
  view.setUint8(6, chain[0]!);
  view.setUint8(7, 64);
  packet.set(ipaddr.parse(from).toByteArray(), 8);
  packet.set(ipaddr.parse(to).toByteArray(), 24);
  extensions.forEach((type, i) => {
    view.setUint8(40 + 8 * i, chain[i + 1]!);
    if (type === 44) view.setUint16(42 + 8 * i, ((segment.offset ?? 0) << 3) | (segment.more ? 1 : 0));
  });
  packet.set(upper, 40 + 8 * extensions.length);
  return packet;
}

/** ARP from `source` for its own sender address; `hardware`: another one in the packet than the frame's source. */
export function arp(
  source: string,
  sender: string,
  target: string,
  { operation = 1, hardware = source } = {},
): Uint8Array {
  const packet = new Uint8Array(28);
  packet.set([0, 1, 8, 0, 6, 4, 0, operation]);
  packet.set(macToBytes(parseMac(hardware)), 8);
  packet.set(ipaddr.parse(sender).toByteArray(), 14);
  packet.set(ipaddr.parse(target).toByteArray(), 24);
  return ethernet(broadcast, source, 0x0806, packet);
}

/** A gratuitous ARP request (RFC 5227); with another target, an ordinary one. */
export function gratuitousArp(source: string, address = '10.0.0.9', target = address): Uint8Array {
  return arp(source, address, target);
}

/** What QEMU sends of a machine that has arrived (RFC 903). */
export function rarp(source: string): Uint8Array {
  return ethernet(broadcast, source, 0x8035, Uint8Array.from([0, 1, 8, 0, 6, 4, 0, 3]));
}

/** An ICMPv6 message of neighbour discovery (RFC 4861): type, flags, and for 135 to 137 a target. */
export function discovery(
  from: string,
  type: number,
  target: string | null = null,
  { flags = 0, extensions = [] as readonly number[] } = {},
): Uint8Array {
  const address = target === null ? [] : ipaddr.parse(target).toByteArray();
  const octets = [type, 0, 0, 0, flags, 0, 0, 0, ...address];
  return ipv6(from, 'ff02::1', { protocol: protocols.icmpv6, octets }, extensions);
}

/** A neighbour advertisement to all nodes; `solicited` is an answer to somebody. */
export function neighbourAdvertisement(source: string, solicited = false): Uint8Array {
  const packet = discovery('fe80::9', 136, 'fe80::9', { flags: solicited ? 0x60 : 0x20 });
  return ethernet('33:33:00:00:00:01', source, 0x86dd, packet);
}

/** The IPv6 link-local address that a MAC address gives (RFC 4291, appendix A). */
export function linkLocalOf(mac: string): string {
  const [a, b, c, d, e, f] = macToBytes(parseMac(mac));
  const groups = [(a! ^ 2) * 256 + b!, c! * 256 + 0xff, 0xfe00 + d!, e! * 256 + f!];
  return `fe80::${groups.map((group) => group.toString(16)).join(':')}`;
}
