import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { callLocal } from '../../local/socket-client.ts';
import type { ShownBridge } from '../../bridge/control/show.ts';
import type { DialectName } from '../../domain/dialect.ts';
import { Processes } from '../../lab/processes.ts';
import { createQuietNamespace, deleteNamespace } from '../../linux/net/namespace.ts';
import { ip } from '../../linux/run.ts';
import { LldpadNetlink } from '../peers/lldpad-netlink.ts';
import { Lldpad } from '../peers/lldpad.ts';
import { startBridge, timers } from './bridge.ts';

const port = 'p1';

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
    this.#cleanup.use(
      await startBridge(this.namespace('hairpin'), this.#directory, this.#processes, [port], vsis),
    );
  }
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
