import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { callLocal } from '../../api/local-socket.ts';
import type { ShownBridge } from '../../bridge/show.ts';
import type { DialectName } from '../../domain/dialect.ts';
import { parseMac } from '../../domain/mac-address.ts';
import { parseVsiId, type VsiId } from '../../domain/vsi-id.ts';
import { Processes } from '../../lab/processes.ts';
import { libc } from '../../linux/libc.ts';
import { createQuietNamespace, deleteNamespace } from '../../linux/namespace.ts';
import { ip } from '../../linux/run.ts';
import type { EvbTimers } from '../../protocol/evb/timers.ts';
import { LldpadNetlink, type NetlinkVsi } from '../peers/lldpad-netlink.ts';
import { Lldpad } from '../peers/lldpad.ts';

/** No keep-alive falls into a run of minutes: an association is measured, and nothing beside it. */
export const timers: EvbTimers = { retries: 3, rte: 8, rwd: 20, rka: 26 };

const vlan = 100;
const managerId = 12;
const port = 'p1';
const detached = 2; // MNT_DETACH

/** A host whose links lead to a switch each: eth0 to Hairpin's bridge agent, eth1 to lldpad in the bridge's role. */
export type Link = 'eth0' | 'eth1';
const switches = { eth0: 'hairpin', eth1: 'lldpad' } as const;

/** lldpad as a station, at the other end of one or two links; all that was made is removed in the end. */
export class Bed implements AsyncDisposable {
  readonly #name = `hp-control-${process.pid}`;
  readonly #directory = mkdtempSync(join(tmpdir(), 'hp-control-'));
  readonly #processes = new Processes(this.#directory);
  readonly #cleanup = new AsyncDisposableStack();

  /** Namespaces and links; the agent's configuration knows VSIs 1 to `vsis`. */
  static async make(links: readonly Link[], vsis: number): Promise<Bed> {
    const bed = new Bed();
    try {
      for (const name of ['host', ...links.map((link) => switches[link])] as const)
        await bed.#namespace(name);
      for (const link of links) {
        await ip(bed.namespace(switches[link]), [
          `link add ${port} type veth peer name ${link} netns ${bed.namespace('host')}`,
          `link set ${port} up`,
        ]);
        await ip(bed.namespace('host'), [`link set ${link} up`]);
      }
      await bed.#startAgent(vsis);
      return bed;
    } catch (error) {
      await bed[Symbol.asyncDispose]();
      throw error;
    }
  }

  private constructor() {
    this.#cleanup.defer(() => rmSync(this.#directory, { recursive: true, force: true }));
  }

  namespace(name: 'host' | (typeof switches)[Link]): string {
    return `${this.#name}-${name}`;
  }

  /** lldpad as the bridge at the far end of eth1. */
  async startLldpadBridge(): Promise<void> {
    const bridge = new Lldpad({
      namespace: this.namespace('lldpad'),
      link: port,
      directory: join(this.#directory, 'lldpad-bridge'),
      dialect: 'ratified',
      role: 'bridge',
      timers,
    });
    this.#cleanup.defer(() => bridge.stop());
    await bridge.running();
  }

  /** lldpad as the station, one process for all links. @returns what libvirt would drive it with, by link */
  async startStation<L extends Link>(
    dialect: DialectName,
    [link, ...otherLinks]: readonly [L, ...L[]],
  ): Promise<{ lldpad: Lldpad; by: Record<L, LldpadNetlink> }> {
    const lldpad = new Lldpad({
      namespace: this.namespace('host'),
      link,
      otherLinks,
      directory: join(this.#directory, 'lldpad-station'),
      dialect,
      timers,
    });
    this.#cleanup.defer(() => lldpad.stop());
    await lldpad.ready();
    const by = {} as Record<L, LldpadNetlink>;
    for (const one of [link, ...otherLinks]) {
      by[one] = new LldpadNetlink(this.namespace('host'), one, lldpad.pid);
      this.#cleanup.defer(() => by[one].close());
    }
    return { lldpad, by };
  }

  /** How many VSIs Hairpin's agent holds. */
  async held(): Promise<number> {
    const { ports } = (await callLocal(
      join(this.#directory, 'state', 'control.sock'),
      'show',
    )) as ShownBridge;
    return ports.find(({ name }) => name === port)?.station?.vsis.length ?? 0;
  }

  /** Processes first, then what they used. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#cleanup.disposeAsync();
  }

  async #namespace(name: Parameters<Bed['namespace']>[0]): Promise<void> {
    const namespace = this.namespace(name);
    this.#cleanup.defer(() => deleteNamespace(namespace));
    await createQuietNamespace(namespace);
  }

  async #startAgent(vsis: number): Promise<void> {
    const stateDirectory = join(this.#directory, 'state');
    mkdirSync(stateDirectory, { mode: 0o700 });
    const path = join(this.#directory, 'bridge.yaml');
    const profile = { managerId: `0x0${managerId.toString(16)}`, typeId: 17, typeVersion: 1 };
    const config = {
      name: 'leaf1',
      stateDirectory,
      evb: timers,
      limits: { vsisPerPort: 16_383 },
      ports: { [port]: { kind: 'station' } },
      profiles: [{ ...profile, name: 'bench', tenant: 'red', vlan }],
      vsis: Array.from({ length: vsis }, (_, i) => {
        const { vsiId, mac } = benchVsi(i + 1);
        return { vsiId, name: `vm${i + 1}`, tenant: 'red', macs: [mac], profile: '0x0c/17/1' };
      }),
    };
    writeFileSync(path, JSON.stringify(config));
    this.#cleanup.defer(() => {
      libc().umount2(join(stateDirectory, 'bpf'), detached);
    });
    this.#cleanup.defer(() => this.#processes.stopAll());
    await this.#processes.start('bridge', this.namespace('hairpin'), ['bridge', '--config', path]);
  }
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

/** Asks again until `is` holds; false after `withinMs`. @throws what `stop` was aborted with */
export async function until(
  stop: AbortSignal,
  is: () => boolean | Promise<boolean>,
  withinMs: number,
  everyMs = 1,
): Promise<boolean> {
  for (const end = performance.now() + withinMs; ;) {
    stop.throwIfAborted();
    if (await is()) return true;
    if (performance.now() > end) return false;
    await new Promise((resolve) => setTimeout(resolve, everyMs));
  }
}
