import ipaddr from 'ipaddr.js';
import type { AccessList, AccessRule, Direction, IpPrefix, PortRange } from '../../domain/port-profile.ts';
import { concerns } from '../policy.ts';
import type { Frame } from './frame.ts';

/** How far the fields behind the IP header can be judged. */
type Upper =
  | { readonly kind: 'ports'; readonly source: number; readonly destination: number }
  /** not IP, or a protocol without ports */
  | { readonly kind: 'none' }
  /** a fragment other than the first: its ports travelled ahead */
  | { readonly kind: 'later' }
  /** cut short, or made to mislead */
  | { readonly kind: 'unreadable' };

interface Headers {
  readonly etherType: number;
  /** null if the frame is not IP */
  readonly ip: {
    readonly source: Uint8Array;
    readonly destination: Uint8Array;
    readonly protocol: number;
  } | null;
  readonly upper: Upper;
}

const tcp = 6;
const udp = 17;
const sctp = 132;
const fragmentHeader = 44;
/** hop-by-hop options, routing, fragment, destination options */
const extensionHeaders: readonly number[] = [0, 43, fragmentHeader, 60];
const mostExtensionHeaders = 6;

/** The first rule that matches decides. An IP frame without a readable IP header is denied wherever there are rules. */
export function allows(list: AccessList, direction: Direction, frame: Frame): boolean {
  if (!list.rules.length) return list.otherwise === 'allow';
  const headers = parseHeaders(frame);
  if (!headers.ip && headers.upper.kind === 'unreadable') return false;
  const rule = list.rules.find((rule) => concerns(rule.direction, direction) && matches(rule, headers));
  return (rule?.action ?? list.otherwise) === 'allow';
}

function matches(rule: AccessRule, headers: Headers): boolean {
  if (rule.etherType !== undefined && rule.etherType !== headers.etherType) return false;
  if (rule.source && 'address' in rule.source && !(headers.ip && contains(rule.source, headers.ip.source)))
    return false;
  if (
    rule.destination &&
    'address' in rule.destination &&
    !(headers.ip && contains(rule.destination, headers.ip.destination))
  )
    return false;
  return matchesUpper(rule, headers);
}

/**
 * What a frame does not show decides against it: a deny rule takes it for a match, an allow rule does not. The
 * exception is a later fragment: its first fragment was judged, and without that one it is of no use to anybody.
 */
function matchesUpper(rule: AccessRule, { ip, upper }: Headers): boolean {
  if (rule.protocol !== undefined) {
    if (!ip) return false;
    // an unreadable IPv6 header chain may lead to any protocol, an IPv4 header names its own
    if (ip.protocol !== rule.protocol)
      return upper.kind === 'unreadable' && ip.source.length === 16 && rule.action === 'deny';
  }
  if (!rule.sourcePorts && !rule.destinationPorts) return true;
  if (upper.kind === 'later') return rule.action === 'allow';
  if (upper.kind === 'unreadable') return rule.action === 'deny';
  if (upper.kind === 'none') return false;
  return within(rule.sourcePorts, upper.source) && within(rule.destinationPorts, upper.destination);
}

function within(range: PortRange | undefined, port: number): boolean {
  return !range || (port >= range.from && port <= range.to);
}

function contains(prefix: IpPrefix, address: Uint8Array): boolean {
  const octets = ipaddr.parse(prefix.address).toByteArray();
  if (octets.length !== address.length) return false;
  for (let bit = 0; bit < prefix.length; bit++) {
    const mask = 0x80 >> (bit & 7);
    if ((octets[bit >> 3]! & mask) !== (address[bit >> 3]! & mask)) return false;
  }
  return true;
}

function parseHeaders({ etherType, untagged }: Frame): Headers {
  const packet = untagged.subarray(14);
  if (etherType === 0x0800) return { etherType, ...parseIpv4(packet) };
  if (etherType === 0x86dd) return { etherType, ...parseIpv6(packet) };
  return { etherType, ip: null, upper: { kind: 'none' } };
}

const unreadable = { kind: 'unreadable' } as const;

function parseIpv4(packet: Uint8Array): Omit<Headers, 'etherType'> {
  const headerWords = packet[0]! & 15;
  if (packet.length < 20 || packet[0]! >> 4 !== 4 || headerWords < 5) return { ip: null, upper: unreadable };
  const protocol = packet[9]!;
  const ip = { source: packet.subarray(12, 16), destination: packet.subarray(16, 20), protocol };
  const offset = ((packet[6]! & 0x1f) << 8) | packet[7]!;
  return {
    ip,
    upper: offset ? laterFragment(protocol, offset) : ports(protocol, packet.subarray(headerWords * 4)),
  };
}

function parseIpv6(packet: Uint8Array): Omit<Headers, 'etherType'> {
  if (packet.length < 40 || packet[0]! >> 4 !== 6) return { ip: null, upper: unreadable };
  const addresses = { source: packet.subarray(8, 24), destination: packet.subarray(24, 40) };
  let protocol = packet[6]!;
  let at = 40;
  const result = (upper: Upper) => ({ ip: { ...addresses, protocol }, upper });
  for (let i = 0; i < mostExtensionHeaders; i++) {
    if (!extensionHeaders.includes(protocol)) return result(ports(protocol, packet.subarray(at)));
    if (packet.length < at + 4) break;
    const isFragment = protocol === fragmentHeader;
    const offset = ((packet[at + 2]! << 8) | packet[at + 3]!) >> 3;
    protocol = packet[at]!;
    if (isFragment && offset) return result(laterFragment(protocol, offset));
    at += isFragment ? 8 : (packet[at + 1]! + 1) * 8;
  }
  return result(unreadable);
}

/** A later fragment has no ports; one that starts inside the first eight octets of TCP was made to overlap them (RFC 3128). */
function laterFragment(protocol: number, offset: number): Upper {
  return protocol === tcp && offset === 1 ? unreadable : { kind: 'later' };
}

function ports(protocol: number, segment: Uint8Array): Upper {
  if (protocol !== tcp && protocol !== udp && protocol !== sctp) return { kind: 'none' };
  if (segment.length < 4) return unreadable;
  return {
    kind: 'ports',
    source: (segment[0]! << 8) | segment[1]!,
    destination: (segment[2]! << 8) | segment[3]!,
  };
}
