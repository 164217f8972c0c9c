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

export const arp = 0x0806;
export const ipv4 = 0x0800;
export const ipv6 = 0x86dd;
export const icmp = 1;
export const tcp = 6;
export const udp = 17;
export const icmpv6 = 58;

const fragmentHeader = 44;
/** hop-by-hop options, routing, fragment, destination options */
const extensionHeaders: readonly number[] = [0, 43, fragmentHeader, 60];
const mostExtensionHeaders = 6;

/** Null if the frame is not IP, "unreadable" if it says that it is and has no such header. */
export function ipHeaderOf({ etherType, untagged }: Frame): IpHeader | 'unreadable' | null {
  if (etherType === ipv4) return parseIpv4(packetOf(untagged));
  if (etherType === ipv6) return parseIpv6(packetOf(untagged));
  return null;
}

export function packetOf(untagged: Uint8Array): Uint8Array {
  return untagged.subarray(14);
}

function parseIpv4(packet: Uint8Array): IpHeader | 'unreadable' {
  const headerWords = packet[0]! & 15;
  if (packet.length < 20 || packet[0]! >> 4 !== 4 || headerWords < 5) return 'unreadable';
  const protocol = packet[9]!;
  const offset = ((packet[6]! & 0x1f) << 8) | packet[7]!;
  const moreFragments = (packet[6]! & 0x20) !== 0;
  return {
    source: packet.subarray(12, 16),
    destination: packet.subarray(16, 20),
    dscp: packet[1]! >> 2,
    protocol,
    fragment: moreFragments || offset > 0,
    segment: offset ? laterFragment(protocol, offset) : packet.subarray(headerWords * 4),
  };
}

function parseIpv6(octets: Uint8Array): IpHeader | 'unreadable' {
  if (octets.length < 40 || octets[0]! >> 4 !== 6) return 'unreadable';
  // what is behind it is padding, which a receiver cuts off; 0 is a super-frame's, or nothing that one would read on in
  const payload = (octets[4]! << 8) | octets[5]!;
  const packet = payload ? octets.subarray(0, 40 + payload) : octets;
  const fixed = {
    source: packet.subarray(8, 24),
    destination: packet.subarray(24, 40),
    dscp: ((packet[0]! & 15) << 2) | (packet[1]! >> 6),
  };
  let protocol = packet[6]!;
  let fragment = false;
  let at = 40;
  for (let i = 0; i < mostExtensionHeaders; i++) {
    if (!extensionHeaders.includes(protocol))
      return { ...fixed, protocol, fragment, segment: packet.subarray(at) };
    if (packet.length < at + 4) break;
    const isFragment = protocol === fragmentHeader;
    const field = (packet[at + 2]! << 8) | packet[at + 3]!;
    const offset = field >> 3;
    protocol = packet[at]!;
    // one that is whole in spite of its fragment header is no fragment (RFC 6946)
    if (isFragment && (offset || field & 1)) fragment = true;
    if (isFragment && offset)
      return { ...fixed, protocol, fragment, segment: laterFragment(protocol, offset) };
    at += isFragment ? 8 : (packet[at + 1]! + 1) * 8;
  }
  return { ...fixed, protocol: null, fragment: fragment || null, segment: 'hidden' };
}

/** One that starts inside the first eight octets of TCP was made to overlap them (RFC 3128). */
function laterFragment(protocol: number, offset: number): 'later' | 'hidden' {
  return protocol === tcp && offset === 1 ? 'hidden' : 'later';
}
