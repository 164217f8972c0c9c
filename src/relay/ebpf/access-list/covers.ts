import ipaddr from 'ipaddr.js';
import { macToBytes } from '../../../domain/mac-address.ts';
import type { AccessList, AccessRule, AddressMatch, MacMatch } from '../../../domain/port-profile.ts';

/** A number, or of IPv6 addresses a bigint. */
export type Key = number | bigint;

/** The keys from `from` on that are below `end`. */
export interface Interval {
  readonly from: Key;
  readonly end: Key;
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
  /** above all keys */
  readonly end: Key;
  /** Null: the rule does not ask. Where it is equal for two rules, so are the covers, which are worked out once. */
  asked(rule: AccessRule): string | number | null;
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
    end: 2 ** 32,
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
    end: 2 ** 32,
    asked(rule) {
      const range = of(rule);
      return range ? `${range.from} ${range.to} ${rule.action}` : null;
    },
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
    end: 2 ** 32,
    asked: ({ [field]: match }) => (match && at(match, i)[1] ? at(match, i).join('/') : null),
    cover({ [field]: match }) {
      const [octet, mask] = at(match!, i);
      const values = Array.from({ length: 256 }, (_, value) => value);
      return values.filter((value) => ((value ^ octet) & mask) === 0).map((value) => interval(value));
    },
  }));
}

/** Equal for equal matches. */
export function nameOf(match: AddressMatch): string {
  return 'set' in match ? `@${match.set}` : `${match.address}/${match.length}`;
}

/** The addresses of a match, of each IP version. */
export function addressCovers(
  match: AddressMatch,
  sets: AccessList['sets'],
): { ipv4: Interval[]; ipv6: Interval[] } {
  const covers: { ipv4: Interval[]; ipv6: Interval[] } = { ipv4: [], ipv6: [] };
  for (const { address, length } of 'set' in match ? sets![match.set]! : [match]) {
    const parsed = ipaddr.parse(address);
    covers[parsed.kind()].push(
      parsed.kind() === 'ipv4'
        ? ipv4Cover(parsed.toByteArray(), length)
        : ipv6Cover(parsed.toByteArray(), length),
    );
  }
  return covers;
}

function ipv4Cover(octets: readonly number[], length: number): Interval {
  const size = 2 ** (32 - length);
  const address = octets.reduce((bits, octet) => bits * 256 + octet, 0);
  const from = address - (address % size);
  return { from, end: from + size };
}

function ipv6Cover(octets: readonly number[], length: number): Interval {
  const free = BigInt(128 - length);
  const from = (BigInt(`0x${Buffer.from(octets).toString('hex')}`) >> free) << free;
  return { from, end: from + (1n << free) };
}

function interval(from: number, to = from): Interval {
  return { from, end: to + 1 };
}
