import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseMac } from '../../domain/mac-address.ts';
import { parseVsiId, type VsiId } from '../../domain/vsi-id.ts';
import type { Processes } from '../../lab/processes.ts';
import { libc } from '../../linux/libc.ts';
import type { EvbTimers } from '../../protocol/evb/timers.ts';
import type { NetlinkVsi } from '../peers/lldpad-netlink.ts';

/** No keep-alive falls into a run of minutes: an association is measured, and nothing beside it. */
export const timers: EvbTimers = { retries: 3, rte: 8, rwd: 20, rka: 26 };

const vlan = 100;
const managerId = 12;
const detached = 2; // MNT_DETACH

/**
 * Hairpin's bridge agent, a process of its own, with station ports; its file knows VSIs 1 to `vsis`. What is returned ends it
 * and its data plane. `more`: of its file.
 */
export async function startBridge(
  namespace: string,
  directory: string,
  processes: Processes,
  ports: readonly string[],
  vsis: number,
  more: object = {},
): Promise<AsyncDisposable> {
  const stateDirectory = join(directory, 'state');
  mkdirSync(stateDirectory, { mode: 0o700 });
  const path = join(directory, 'bridge.yaml');
  const profile = { managerId: `0x0${managerId.toString(16)}`, typeId: 17, typeVersion: 1 };
  const config = {
    name: 'leaf1',
    stateDirectory,
    evb: timers,
    limits: { vsisPerPort: 16_383 },
    ports: Object.fromEntries(ports.map((port) => [port, { kind: 'station' }])),
    profiles: [{ ...profile, name: 'bench', tenant: 'red', vlan }],
    vsis: Array.from({ length: vsis }, (_, i) => {
      const { vsiId, mac } = benchVsi(i + 1);
      return { vsiId, name: `vm${i + 1}`, tenant: 'red', macs: [mac], profile: '0x0c/17/1' };
    }),
    ...more,
  };
  writeFileSync(path, JSON.stringify(config));
  const end = async () => {
    await processes.stopAll();
    libc().umount2(join(stateDirectory, 'bpf'), detached);
  };
  try {
    await processes.start('bridge', namespace, ['bridge', '--config', path]);
  } catch (error) {
    await end();
    throw error;
  }
  return { [Symbol.asyncDispose]: end };
}

/** VSI n as libvirt names it to lldpad. */
export function benchVsi(n: number): NetlinkVsi {
  const [high, low] = [n >> 8, n & 0xff].map((octet) => octet.toString(16).padStart(2, '0'));
  return {
    vsiId: benchId(n),
    managerId,
    typeId: 17,
    typeVersion: 1,
    mac: parseMac(`52:54:00:b0:${high}:${low}`),
    vid: vlan,
  };
}

export function benchId(n: number): VsiId {
  return parseVsiId(`b0000000-0000-4000-8000-${String(n).padStart(12, '0')}`);
}
