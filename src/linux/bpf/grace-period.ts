import { BpfMap, createMap, mapTypes } from './maps.ts';

let refer: (() => void) | null = null;

/**
 * Returns once every eBPF program that ran when it was called has ended (an RCU grace period). The kernel waits for them
 * whenever a map of maps gets an element; membarrier(2) would do so only where no CPU is set apart (nohz_full).
 * @throws SystemError
 */
export function waitForPrograms(): void {
  refer ??= reference();
  refer();
}

/** A map of maps, and what sets its element. */
function reference(): () => void {
  const inner = createMap(mapTypes.array, 'hp_grace', 4);
  const outer = createMap(mapTypes.arrayOfMaps, 'hp_graces', 4, { innerFd: inner });
  const map = new BpfMap(outer, 'hp_graces', 4, 4);
  const [key, value] = [new Uint8Array(4), new Uint8Array(new Uint32Array([inner]).buffer)];
  return () => map.set(key, value);
}
