import type { PortCounters, PortName, Stranger } from '../../contract/relay.ts';
import type { DataPlane } from './data-plane.ts';
import { decodeDropped, decodeSourceKey, portTallySize, u32 } from './layout.ts';

/** The sum over all CPUs. */
export function readPortCounters(plane: DataPlane, number: number): PortCounters {
  const bytes = plane.portTallies.get(u32(number)) ?? new Uint8Array(portTallySize * plane.cpus);
  const sum = new BigUint64Array(portTallySize / 8);
  const words = new BigUint64Array(bytes.buffer);
  words.forEach((word, i) => (sum[i % sum.length]! += word));
  return {
    framesIn: Number(sum[0]),
    framesOut: Number(sum[1]),
    dropped: decodeDropped(new DataView(sum.buffer), 16),
  };
}

export function readStrangers(plane: DataPlane, nameOf: (port: number) => PortName | null): Stranger[] {
  const strangers: Stranger[] = [];
  for (const key of plane.strangers.keys()) {
    const value = plane.strangers.get(key);
    const { mac, wireVid, port: number } = decodeSourceKey(key);
    const port = nameOf(number);
    if (!value || !port) continue;
    const view = new DataView(value.buffer);
    strangers.push({
      port,
      mac,
      wireVid,
      frames: Number(view.getBigUint64(0, true)),
      lastFrame: view.getBigUint64(8, true),
    });
  }
  return strangers;
}
