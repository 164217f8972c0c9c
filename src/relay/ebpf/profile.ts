import ipaddr from 'ipaddr.js';
import {
  plainForwarding,
  type AccessRule,
  type Direction,
  type IpPrefix,
  type Mirror,
  type Policy,
  type PortRange,
} from '../../domain/port-profile.ts';
import type { Vid } from '../../domain/vid.ts';
import { bucketOf, concerns } from '../policy.ts';
import { readText, writeText } from './layout.ts';

export const profileSize = 5264;
const vlanOffset = 64;
const mirrorOffset = 66;
const mirrorsOffset = 70;
const otherwiseOffset = 71;
const countOffset = 72;
const sessionOffset = 80;
const rulesOffset = 144;
const ruleSize = 80;

const directions: readonly Direction[] = ['from-vm', 'to-vm'];
const asks = { etherType: 1, source: 2, destination: 4, protocol: 8, sourcePorts: 16, destinationPorts: 32 };

/** A policy as the data plane walks it (struct profile); `mirrorPort` is the port of its session, 0 if it has none. */
export function encodeProfile(policy: Policy, mirrorPort: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(profileSize);
  const view = new DataView(bytes.buffer);
  directions.forEach((direction, i) => {
    const rate = policy.rate[direction];
    if (!rate) return;
    const { cost, depth } = bucketOf(rate);
    const words = [BigInt(rate.max), BigInt(rate.burst), cost, depth];
    words.forEach((word, j) => view.setBigUint64(32 * i + 8 * j, word, true));
  });
  view.setUint16(vlanOffset, policy.vlan, true);
  const mirrors = policy.mirror ? directionBits(policy.mirror.direction) : 0;
  view.setUint8(mirrorsOffset, mirrors);
  directions.forEach((_, i) =>
    view.setUint16(mirrorOffset + 2 * i, mirrors & (1 << i) ? mirrorPort : 0, true),
  );
  if (policy.mirror) writeText(bytes.subarray(sessionOffset, rulesOffset), policy.mirror.session);
  view.setUint8(otherwiseOffset, Number(policy.accessList.otherwise === 'allow'));
  view.setUint8(countOffset, policy.accessList.rules.length);
  policy.accessList.rules.forEach((rule, i) =>
    encodeRule(rule, new DataView(bytes.buffer, rulesOffset + i * ruleSize, ruleSize)),
  );
  return bytes;
}

/** The policy that `encodeProfile` was given. */
export function decodeProfile(bytes: Uint8Array<ArrayBuffer>): Policy {
  const view = new DataView(bytes.buffer, bytes.byteOffset, profileSize);
  const rate: Partial<Record<Direction, { max: number; burst: number }>> = {};
  directions.forEach((direction, i) => {
    const max = Number(view.getBigUint64(32 * i, true));
    if (max) rate[direction] = { max, burst: Number(view.getBigUint64(32 * i + 8, true)) };
  });
  const session = readText(bytes.subarray(sessionOffset, rulesOffset));
  const mirror: Mirror | null = session
    ? { session, direction: directionOf(view.getUint8(mirrorsOffset)) }
    : null;
  const rules = Array.from({ length: view.getUint8(countOffset) }, (_, i) =>
    decodeRule(new DataView(bytes.buffer, bytes.byteOffset + rulesOffset + i * ruleSize, ruleSize)),
  );
  return {
    ...plainForwarding,
    tenant: 'red',
    vlan: view.getUint16(vlanOffset, true) as Vid,
    rate,
    accessList: { rules, otherwise: view.getUint8(otherwiseOffset) ? 'allow' : 'deny' },
    mirror,
  };
}

function encodeRule(rule: AccessRule, view: DataView<ArrayBuffer>): void {
  let matches = 0;
  for (const [field, bit] of Object.entries(asks))
    if (rule[field as keyof typeof asks] !== undefined) matches |= bit;
  if (rule.source && 'address' in rule.source) view.setUint8(75, encodePrefix(rule.source, view, 0));
  if (rule.destination && 'address' in rule.destination)
    view.setUint8(76, encodePrefix(rule.destination, view, 32));
  view.setUint16(64, rule.etherType ?? 0, true);
  [
    rule.sourcePorts?.from,
    rule.sourcePorts?.to,
    rule.destinationPorts?.from,
    rule.destinationPorts?.to,
  ].forEach((port, i) => view.setUint16(66 + 2 * i, port ?? 0, true));
  view.setUint8(74, matches);
  view.setUint8(77, rule.protocol ?? 0);
  view.setUint8(78, directionBits(rule.direction));
  view.setUint8(79, Number(rule.action === 'allow'));
}

function decodeRule(view: DataView<ArrayBuffer>): AccessRule {
  const matches = view.getUint8(74);
  const range = (at: number): PortRange => ({
    from: view.getUint16(at, true),
    to: view.getUint16(at + 2, true),
  });
  return {
    action: view.getUint8(79) ? 'allow' : 'deny',
    direction: directionOf(view.getUint8(78)),
    ...(matches & asks.etherType && { etherType: view.getUint16(64, true) }),
    ...(matches & asks.source && { source: decodePrefix(view, 0, view.getUint8(75)) }),
    ...(matches & asks.destination && { destination: decodePrefix(view, 32, view.getUint8(76)) }),
    ...(matches & asks.protocol && { protocol: view.getUint8(77) }),
    ...(matches & asks.sourcePorts && { sourcePorts: range(66) }),
    ...(matches & asks.destinationPorts && { destinationPorts: range(70) }),
  };
}

/** Writes address and mask (network order) and returns the family, 4 or 6. */
function encodePrefix({ address, length }: IpPrefix, view: DataView, offset: number): number {
  const octets = ipaddr.parse(address).toByteArray();
  octets.forEach((octet, i) => {
    view.setUint8(offset + i, octet);
    view.setUint8(offset + 16 + i, 0xff00 >> Math.min(8, Math.max(0, length - 8 * i)));
  });
  return octets.length === 4 ? 4 : 6;
}

function decodePrefix(view: DataView, offset: number, family: number): IpPrefix {
  const octets: number[] = [];
  let length = 0;
  for (let i = 0; i < (family === 4 ? 4 : 16); i++) {
    octets.push(view.getUint8(offset + i));
    for (let mask = view.getUint8(offset + 16 + i); mask; mask &= mask - 1) length++;
  }
  return { address: ipaddr.fromByteArray(octets).toString(), length };
}

function directionBits(direction: Direction | 'both'): number {
  return Number(concerns(direction, 'from-vm')) | (Number(concerns(direction, 'to-vm')) << 1);
}

function directionOf(bits: number): Direction | 'both' {
  return bits === 3 ? 'both' : directions[bits - 1]!;
}

/** The port that an encoded profile mirrors to, 0 if to none. */
export function mirrorPortOf(bytes: Uint8Array<ArrayBuffer>): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, profileSize);
  return view.getUint16(mirrorOffset, true) || view.getUint16(mirrorOffset + 2, true);
}
