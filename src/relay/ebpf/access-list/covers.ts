import ipaddr from 'ipaddr.js';
import { macToBytes } from '../../../domain/mac-address.ts';
import type { AccessList, AccessRule, AddressMatch, MacMatch } from '../../../domain/port-profile.ts';

/** Keys from `from` to `to`, both included. */
export interface Interval {
  readonly from: bigint;
  readonly to: bigint;
}

/** Keys that stand for what a frame does not show (bpf/frame.h). */
export const later = 0x10000;
export const hidden = 0x10001;
export const none = 0x10002;

/** The numbers of keys in the data plane (enum key of bpf/frame.h, bpf/access-list.h). */
export const keyNumbers = {
  etherType: 0,
  vlan: 1,
  protocol: 2,
  sourcePort: 3,
  destinationPort: 4,
  established: 5,
  icmpType: 6,
  dscp: 7,
  fragment: 8,
  destinationMac: 16,
  sourceMac: 22,
  source: 32,
  destination: 34,
} as const;
/** Added to the number of an address's key: the IPv6 addresses are a dimension of their own. */
export const isIpv6 = 1;

/** What the rules ask of one key. */
export interface Question {
  readonly key: number;
  /** of which keys are made */
  readonly bits: 32 | 128;
  /** Null: the rule does not ask. What is equal for two rules gives equal covers, so that it is worked out once. */
  asked(rule: AccessRule): unknown;
  /** The keys that the rule leaves open, in any order. */
  cover(rule: AccessRule): Interval[];
}

/** Of all keys but addresses. */
export const questions: readonly Question[] = [
  plain('etherType', ({ etherType }) => etherType),
  plain('vlan', ({ vlan }) => vlan),
  shown('protocol', ({ protocol }) => (protocol === undefined ? undefined : only(protocol))),
  shown('sourcePort', ({ sourcePorts }) => sourcePorts),
  shown('destinationPort', ({ destinationPorts }) => destinationPorts),
  shown('established', ({ tcpEstablished }) => (tcpEstablished ? only(1) : undefined)),
  shown('icmpType', ({ icmpType }) => (icmpType === undefined ? undefined : only(icmpType))),
  plain('dscp', ({ dscp }) => dscp),
  shown('fragment', ({ fragment }) => (fragment === undefined ? undefined : only(Number(fragment)))),
  ...macQuestions('destinationMac'),
  ...macQuestions('sourceMac'),
];

function only(value: number) {
  return { from: value, to: value };
}

/** Of a key that each frame shows, if it has one. */
function plain(key: keyof typeof keyNumbers, of: (rule: AccessRule) => number | undefined): Question {
  return {
    key: keyNumbers[key],
    bits: 32,
    asked: (rule) => of(rule) ?? null,
    cover: (rule) => [interval(of(rule)!)],
  };
}

/** Of a key that a frame may hide, which decides against it, or that travelled ahead, which decides for it. */
function shown(
  key: keyof typeof keyNumbers,
  of: (rule: AccessRule) => { from: number; to: number } | undefined,
): Question {
  return {
    key: keyNumbers[key],
    bits: 32,
    asked: (rule) => (of(rule) ? [of(rule), rule.action] : null),
    cover(rule) {
      const { from, to } = of(rule)!;
      return [interval(from, to), interval(rule.action === 'allow' ? later : hidden)];
    },
  };
}

/**
 * A mask may have holes, which makes it no interval of addresses; but an address matches exactly if each of its octets
 * does, and of an octet there are few values.
 */
function macQuestions(field: 'sourceMac' | 'destinationMac'): Question[] {
  const at = (match: MacMatch, i: number) =>
    [macToBytes(match.address)[i]!, macToBytes(match.mask)[i]!] as const;
  return [0, 1, 2, 3, 4, 5].map((i) => ({
    key: keyNumbers[field] + i,
    bits: 32,
    asked: ({ [field]: match }) => (match && at(match, i)[1] ? at(match, i) : null),
    cover({ [field]: match }) {
      const [octet, mask] = at(match!, i);
      const values = Array.from({ length: 256 }, (_, value) => value);
      return values.filter((value) => ((value ^ octet) & mask) === 0).map((value) => interval(value));
    },
  }));
}

/** The addresses of a match, of each IP version. */
export function addressCovers(
  match: AddressMatch,
  sets: AccessList['sets'],
): { ipv4: Interval[]; ipv6: Interval[] } {
  const covers: { ipv4: Interval[]; ipv6: Interval[] } = { ipv4: [], ipv6: [] };
  for (const { address, length } of 'set' in match ? sets![match.set]! : [match]) {
    const parsed = ipaddr.parse(address);
    const octets = parsed.toByteArray();
    const free = BigInt(octets.length * 8 - length);
    const from = (BigInt(`0x${Buffer.from(octets).toString('hex')}`) >> free) << free;
    covers[parsed.kind()].push({ from, to: from + (1n << free) - 1n });
  }
  return covers;
}

function interval(from: number, to = from): Interval {
  return { from: BigInt(from), to: BigInt(to) };
}
