import type { AccessRule } from '../../../src/domain/port-profile.ts';
import { ethernet, ipv4 } from './frames.ts';

/** Rules of which no two share a prefix or a range; every other one denies. */
export function differentRules(count: number): AccessRule[] {
  return Array.from({ length: count }, (_, i) => ({
    action: i % 2 ? 'deny' : 'allow',
    direction: 'both',
    source: { address: `10.${i >> 6}.${(i & 63) * 4}.0`, length: 22 },
    destination: { address: `172.16.${i >> 8}.${i & 255}`, length: 32 },
    protocol: 17,
    sourcePorts: { from: 1 + 7 * i, to: 60_000 + i },
    destinationPorts: { from: 20 * i + 1, to: 20 * i + 15 },
  }));
}

/** A frame that the i-th of these rules decides. */
export function frameOfRule(i: number): Uint8Array {
  const segment = { sourcePort: 60_000 + i, destinationPort: 20 * i + 8 };
  const [source, destination] = [`10.${i >> 6}.${(i & 63) * 4 + 1}.9`, `172.16.${i >> 8}.${i & 255}`];
  return ethernet('02:00:00:00:00:02', '02:00:00:00:00:01', 0x0800, ipv4(source, destination, segment));
}
