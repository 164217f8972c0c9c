import {
  plainForwarding,
  type AccessList,
  type Direction,
  type Mirror,
  type Policy,
} from '../../domain/port-profile.ts';
import type { Vid } from '../../domain/vid.ts';
import { bucketOf, concerns } from '../policy.ts';
import { readText, writeText } from './layout.ts';

export const profileSize = 144;
const vlanOffset = 64;
const mirrorOffset = 66;
const mirrorsOffset = 70;
const listOffset = 72;
const sessionOffset = 76;
const sessionEnd = 140;

const directions: readonly Direction[] = ['from-vm', 'to-vm'];

/**
 * A policy as the data plane has it (struct profile); `mirrorPort` is the port of its session, 0 if it has none, and `list`
 * the number of its access list.
 */
export function encodeProfile(policy: Policy, mirrorPort: number, list: number): Uint8Array<ArrayBuffer> {
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
  if (policy.mirror) writeText(bytes.subarray(sessionOffset, sessionEnd), policy.mirror.session);
  view.setUint32(listOffset, list, true);
  return bytes;
}

/** The policy that `encodeProfile` was given. */
export function decodeProfile(bytes: Uint8Array<ArrayBuffer>, accessList: AccessList): Policy {
  const view = new DataView(bytes.buffer, bytes.byteOffset, profileSize);
  const rate: Partial<Record<Direction, { max: number; burst: number }>> = {};
  directions.forEach((direction, i) => {
    const max = Number(view.getBigUint64(32 * i, true));
    if (max) rate[direction] = { max, burst: Number(view.getBigUint64(32 * i + 8, true)) };
  });
  const session = readText(bytes.subarray(sessionOffset, sessionEnd));
  const mirror: Mirror | null = session
    ? { session, direction: directionOf(view.getUint8(mirrorsOffset)) }
    : null;
  return {
    ...plainForwarding,
    tenant: 'red',
    vlan: view.getUint16(vlanOffset, true) as Vid,
    rate,
    accessList,
    mirror,
  };
}

function directionBits(direction: Direction | 'both'): number {
  return Number(concerns(direction, 'from-vm')) | (Number(concerns(direction, 'to-vm')) << 1);
}

function directionOf(bits: number): Direction | 'both' {
  return bits === 3 ? 'both' : directions[bits - 1]!;
}

/** The number of an encoded profile's access list. */
export function listOf(bytes: Uint8Array<ArrayBuffer>): number {
  return new DataView(bytes.buffer, bytes.byteOffset, profileSize).getUint32(listOffset, true);
}

/** The port that an encoded profile mirrors to, 0 if to none. */
export function mirrorPortOf(bytes: Uint8Array<ArrayBuffer>): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, profileSize);
  return view.getUint16(mirrorOffset, true) || view.getUint16(mirrorOffset + 2, true);
}
