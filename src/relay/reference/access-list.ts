import ipaddr from 'ipaddr.js';
import { macToBytes } from '../../domain/mac-address.ts';
import type {
  AccessList,
  AccessRule,
  AddressMatch,
  Direction,
  IpPrefix,
  MacMatch,
  PortRange,
} from '../../domain/port-profile.ts';
import { concerns } from '../contract/policy.ts';
import type { Frame } from './frame.ts';
import { ipHeaderOf, type IpHeader } from './headers.ts';

/** What a list decided, and by which of its rules; the number of rules where it was by none. */
export interface Verdict {
  readonly allowed: boolean;
  readonly by: number;
}

/**
 * What one field of a rule says of a frame. What a frame does not show ("hidden") decides against it: a deny rule takes it
 * for a match, an allow rule does not. A "later" fragment is the other way round: its first fragment was judged, and
 * without that one it is of no use to anybody.
 */
type Finding = 'yes' | 'no' | 'hidden' | 'later';

/** The first rule that matches decides. An IP frame without a readable IP header is denied wherever there are rules. */
export function judge(list: AccessList, direction: Direction, frame: Frame, vlan: number): Verdict {
  const { rules, otherwise, sets = {} } = list;
  const ip = ipHeaderOf(frame);
  const none = rules.length;
  if (none && ip === 'unreadable') return { allowed: false, by: none };
  const readable = ip === 'unreadable' ? null : ip;
  const at = rules.findIndex(
    (rule) =>
      concerns(rule.direction, direction) && matches(rule, [...findings(rule, frame, vlan, readable, sets)]),
  );
  if (at < 0) return { allowed: otherwise === 'allow', by: none };
  return { allowed: rules[at]!.action === 'allow', by: at };
}

function matches({ action }: AccessRule, findings: readonly Finding[]): boolean {
  if (findings.includes('no')) return false;
  if (findings.includes('hidden')) return action === 'deny';
  if (findings.includes('later')) return action === 'allow';
  return true;
}

function* findings(
  rule: AccessRule,
  frame: Frame,
  vlan: number,
  ip: IpHeader | null,
  sets: NonNullable<AccessList['sets']>,
): Generator<Finding> {
  if (rule.sourceMac) yield is(covers(rule.sourceMac, frame.untagged.subarray(6, 12)));
  if (rule.destinationMac) yield is(covers(rule.destinationMac, frame.untagged.subarray(0, 6)));
  if (rule.etherType !== undefined) yield is(rule.etherType === frame.etherType);
  if (rule.vlan !== undefined) yield is(rule.vlan === vlan);
  if (rule.source) yield is(ip !== null && isAmong(rule.source, ip.source, sets));
  if (rule.destination) yield is(ip !== null && isAmong(rule.destination, ip.destination, sets));
  if (rule.dscp !== undefined) yield is(ip?.dscp === rule.dscp);
  if (rule.fragment !== undefined) yield ip ? equals(rule.fragment, ip.fragment) : 'no';
  if (rule.protocol !== undefined) yield ip ? equals(rule.protocol, ip.protocol) : 'no';
  const segment = ip?.segment ?? new Uint8Array();
  if (rule.sourcePorts) yield inSegment(segment, 4, (octets) => within(rule.sourcePorts!, octets, 0));
  if (rule.destinationPorts)
    yield inSegment(segment, 4, (octets) => within(rule.destinationPorts!, octets, 2));
  if (rule.tcpEstablished) yield inSegment(segment, 14, (octets) => (octets[13]! & ackOrReset) !== 0);
  if (rule.icmpType !== undefined) yield inSegment(segment, 1, (octets) => octets[0] === rule.icmpType);
}

const ackOrReset = 0x10 | 0x04;

function is(holds: boolean): Finding {
  return holds ? 'yes' : 'no';
}

function equals<T>(wanted: T, shown: T | null): Finding {
  return shown === null ? 'hidden' : is(shown === wanted);
}

/** The rule names the protocol as well (checks.ts), so that of another one's segment it does not matter what is said. */
function inSegment(
  segment: IpHeader['segment'],
  needed: number,
  holds: (octets: Uint8Array) => boolean,
): Finding {
  if (typeof segment === 'string') return segment;
  return segment.length < needed ? 'hidden' : is(holds(segment));
}

function within({ from, to }: PortRange, octets: Uint8Array, at: number): boolean {
  const port = (octets[at]! << 8) | octets[at + 1]!;
  return port >= from && port <= to;
}

function covers({ address, mask }: MacMatch, mac: Uint8Array): boolean {
  const [wanted, bits] = [macToBytes(address), macToBytes(mask)];
  return mac.every((octet, i) => ((octet ^ wanted[i]!) & bits[i]!) === 0);
}

function isAmong(match: AddressMatch, address: Uint8Array, sets: NonNullable<AccessList['sets']>): boolean {
  const prefixes = 'set' in match ? sets[match.set]! : [match];
  return prefixes.some((prefix) => contains(prefix, address));
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
