import type { DataPlane } from '../memory/data-plane.ts';
import { decodeIpKey, ipKey, macWord, u64 } from '../memory/layout.ts';
import type { HeldVsi } from './held-vsi.ts';

/**
 * The VSIs' own IP addresses, by slot, each VSI's in their order. Where a process ended while it changed them, two may
 * have one place in the order: the one that the slot has at hand counts, so that a list which had not turned is the old one.
 */
export function readIps(plane: DataPlane): Map<number, string[]> {
  const found = new Map<number, { readonly ip: string; readonly index: number }[]>();
  for (const key of plane.ips.keys()) {
    const { slot, ip } = decodeIpKey(key);
    const index = indexAt(plane, key);
    if (index === null) continue;
    const its = found.get(slot) ?? [];
    its.push({ ip, index });
    found.set(slot, its);
  }
  const ips = new Map<number, string[]>();
  for (const [slot, its] of found) {
    const rank = (ip: string) => Number(plane.slot(slot).hasAtHand(ip));
    its.sort((a, b) => a.index - b.index || rank(b.ip) - rank(a.ip));
    ips.set(
      slot,
      its.filter(({ index }, i) => index !== its[i - 1]?.index).map(({ ip }) => ip),
    );
  }
  return ips;
}

/** Makes these VSIs' own addresses be those that pass the guard and that group frames are sent to, and no others. */
export function repairIps(plane: DataPlane, held: readonly HeldVsi[]): void {
  const lists = new Map(held.map(({ slot, vsi }) => [slot, vsi.ips]));
  for (const key of plane.ips.keys()) {
    const { slot, ip } = decodeIpKey(key);
    if (!lists.get(slot)?.includes(ip)) plane.ips.delete(key);
  }
  for (const { slot: number, vsi } of held) {
    vsi.ips.forEach((ip, index) => {
      const key = ipKey(number, ip);
      if (indexAt(plane, key) !== index) plane.ips.set(key, u64(BigInt(index)));
    });
    const slot = plane.slot(number);
    slot.ips = vsi.ips;
    slot.mac = macWord(vsi.addresses[0]!);
  }
}

function indexAt(plane: DataPlane, key: Uint8Array): number | null {
  const value = plane.ips.get(key);
  return value && Number(new DataView(value.buffer).getBigUint64(0, true));
}
