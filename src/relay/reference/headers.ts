import { etherTypes, ipProtocols } from '../../domain/packet-numbers.ts';
import type { Frame } from './frame.ts';

/** An IP header, and what follows it as far as it can be read. */
export interface IpHeader {
  readonly source: Uint8Array;
  readonly destination: Uint8Array;
  readonly dscp: number;
  /** null behind a chain of IPv6 extension headers that cannot be followed to its end */
  readonly protocol: number | null;
  /** whether this is a fragment, the first one included; null: the chain hides it */
  readonly fragment: boolean | null;
  /**
   * The octets of the protocol's own header and all behind them; "later": a fragment other than the first, whose header
   * travelled ahead; "hidden": behind what cannot be read, or made to mislead.
   */
  readonly segment: Uint8Array | 'later' | 'hidden';
}

export const { arp, ipv4, ipv6 } = etherTypes;
export const { icmp, igmp, tcp, udp, icmpv6 } = ipProtocols;

const fragmentHeader = 44;
const authenticationHeader = 51;
/** hop-by-hop options, routing, fragment, authentication, destination options */
const ipv6Extensions: readonly number[] = [0, 43, fragmentHeader, authenticationHeader, 60];
const ipv4Extensions: readonly number[] = [authenticationHeader];
const mostExtensionHeaders = 6;

/** Null if the frame is not IP, "unreadable" if it says that it is and has no such header where one is looked for. */
export function ipHeaderOf({ etherType, inSnap, untagged }: Frame): IpHeader | 'unreadable' | null {
  if (etherType !== ipv4 && etherType !== ipv6) return null;
  if (inSnap) return 'unreadable';
  const packet = packetOf(untagged);
  return etherType === ipv4 ? parseIpv4(packet) : parseIpv6(packet);
}

export function packetOf(untagged: Uint8Array): Uint8Array {
  return untagged.subarray(14);
}

function parseIpv4(octets: Uint8Array): IpHeader | 'unreadable' {
  const header = (octets[0]! & 15) * 4;
  if (octets.length < 20 || octets[0]! >> 4 !== 4 || header < 20) return 'unreadable';
  const total = (octets[2]! << 8) | octets[3]!;
  if (total && total < header) return 'unreadable';
  // what is behind it is padding, which a receiver cuts off; 0 is a super-frame's, or nothing that one would read
  const packet = total ? octets.subarray(0, total) : octets;
  const protocol = packet[9]!;
  const offset = ((packet[6]! & 0x1f) << 8) | packet[7]!;
  const moreFragments = (packet[6]! & 0x20) !== 0;
  const upper = offset
    ? { protocol, segment: laterFragment(protocol, offset) }
    : follow(packet, header, protocol, ipv4Extensions);
  return {
    source: packet.subarray(12, 16),
    destination: packet.subarray(16, 20),
    dscp: packet[1]! >> 2,
    ...upper,
    fragment: moreFragments || offset > 0,
  };
}

function parseIpv6(octets: Uint8Array): IpHeader | 'unreadable' {
  if (octets.length < 40 || octets[0]! >> 4 !== 6) return 'unreadable';
  const payload = (octets[4]! << 8) | octets[5]!;
  const packet = payload ? octets.subarray(0, 40 + payload) : octets;
  return {
    source: packet.subarray(8, 24),
    destination: packet.subarray(24, 40),
    dscp: ((packet[0]! & 15) << 2) | (packet[1]! >> 6),
    ...follow(packet, 40, packet[6]!, ipv6Extensions),
  };
}

/** Goes on behind the extension headers at `at`, the first of which has this number, if it is one. */
function follow(
  packet: Uint8Array,
  at: number,
  protocol: number,
  extensions: readonly number[],
): Pick<IpHeader, 'protocol' | 'fragment' | 'segment'> {
  let fragment = false;
  for (let i = 0; i < mostExtensionHeaders; i++) {
    if (!extensions.includes(protocol)) return { protocol, fragment, segment: packet.subarray(at) };
    if (packet.length < at + 4) break;
    const header = protocol;
    const field = (packet[at + 2]! << 8) | packet[at + 3]!;
    const offset = field >> 3;
    protocol = packet[at]!;
    // one that is whole in spite of its fragment header is no fragment (RFC 6946)
    if (header === fragmentHeader && (offset || field & 1)) fragment = true;
    if (header === fragmentHeader && offset)
      return { protocol, fragment, segment: laterFragment(protocol, offset) };
    at += lengthOf(header, packet[at + 1]!);
  }
  return { protocol: null, fragment: fragment || null, segment: 'hidden' };
}

/** In octets, of an extension header whose length field says so much. */
function lengthOf(header: number, length: number): number {
  if (header === fragmentHeader) return 8;
  return header === authenticationHeader ? (length + 2) * 4 : (length + 1) * 8;
}

/** One that starts inside the first eight octets of TCP was made to overlap them (RFC 3128). */
function laterFragment(protocol: number, offset: number): 'later' | 'hidden' {
  return protocol === tcp && offset === 1 ? 'hidden' : 'later';
}
