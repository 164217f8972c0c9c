import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { controlEtherTypes } from '../../../src/protocol/ethernet.ts';
import { callLocal } from '../../../src/local/socket-client.ts';
import { Lldpad, type LldpadOptions, type LldpadVsi } from '../../../src/bench/peers/lldpad.ts';
import { LldpadNetlink } from '../../../src/bench/peers/lldpad-netlink.ts';
import type { ShownBridge, ShownPort } from '../../../src/bridge/control/show.ts';
import { parseMac, type MacAddress } from '../../../src/domain/mac-address.ts';
import { parseVsiId, type VsiId } from '../../../src/domain/vsi-id.ts';
import { Processes } from '../../../src/lab/processes.ts';
import { systemClock } from '../../../src/linux/clock.ts';
import { interfaceAddress } from '../../../src/linux/net/interfaces.ts';
import { libc } from '../../../src/linux/libc.ts';
import { createQuietNamespace, deleteNamespace, inNamespace } from '../../../src/linux/net/namespace.ts';
import { etherTypeFilter, PacketSocket } from '../../../src/linux/net/packet-socket.ts';
import { ip } from '../../../src/linux/run.ts';
import { BridgePort, type BridgePortOutput } from '../../../src/protocol/bridge-port.ts';
import { Driver } from '../../../src/protocol/driver.ts';
import type { EvbTimers } from '../../../src/protocol/evb/timers.ts';
import type { Verdict } from '../../../src/protocol/vdp/bridge.ts';

export type Request = Extract<BridgePortOutput, { kind: 'request' }>;

/** lldpad waits 4 s for an answer, and sends keep-alives every 1.3 s. */
export const quick: EvbTimers = { retries: 3, rte: 8, rwd: 18, rka: 17 };

const stationLink = 'eth0';
let count = 0;

/** A switch with ports p1 and p2, and a host's uplink at the other end of each. */
export class Wires implements AsyncDisposable {
  readonly switch = `hp-lldpad-${process.pid}-${count++}-sw`;
  readonly directory = mkdtempSync(join(tmpdir(), 'hp-lldpad-'));
  readonly processes = new Processes(this.directory);
  readonly #stations = new Set<Lldpad>();
  readonly #closing: (() => void)[] = [];

  static async lay(): Promise<Wires> {
    const wires = new Wires();
    try {
      for (const namespace of [wires.switch, wires.host('p1'), wires.host('p2')])
        await createQuietNamespace(namespace);
      for (const port of ['p1', 'p2'] as const) await wires.plug(port);
      return wires;
    } catch (error) {
      await wires[Symbol.asyncDispose]();
      throw error;
    }
  }

  host(port: 'p1' | 'p2'): string {
    return `${this.switch}-${port}`;
  }

  /** The wire of a port, and the interfaces at its ends; the host's has its address as hardware has: the same when it is made anew. */
  async plug(port: 'p1' | 'p2'): Promise<void> {
    const namespace = this.host(port);
    const address = `02:00:5e:00:53:0${port === 'p1' ? 1 : 2}`;
    await ip(this.switch, [
      `link add ${port} type veth peer name ${stationLink} address ${address} netns ${namespace}`,
      `link set ${port} up`,
    ]);
    await ip(namespace, [`link set ${stationLink} up`]);
  }

  async unplug(port: 'p1' | 'p2'): Promise<void> {
    await ip(this.switch, [`link delete ${port}`]);
  }

  /** Starts lldpad as the station at a port, and waits until it can ask. */
  async station(port: 'p1' | 'p2', options: Partial<LldpadOptions> = {}): Promise<Lldpad> {
    const station = new Lldpad({
      namespace: this.host(port),
      link: stationLink,
      directory: join(this.directory, `lldpad-${port}`),
      dialect: 'ratified',
      timers: quick,
      groupIds: true,
      ...options,
    });
    this.#stations.add(station);
    await station.ready();
    return station;
  }

  /** Starts lldpad as the bridge at a port, in Hairpin's place. */
  lldpadBridge(port: 'p1' | 'p2'): Lldpad {
    const bridge = new Lldpad({
      namespace: this.switch,
      link: port,
      directory: join(this.directory, 'lldpad-bridge'),
      dialect: 'ratified',
      role: 'bridge',
      timers: quick,
    });
    this.#stations.add(bridge);
    return bridge;
  }

  /** A raw socket at the host's end of a port's wire, where a VM's frames enter it too. */
  hostEnd(port: 'p1' | 'p2'): PacketSocket {
    return this.#open(this.host(port), stationLink);
  }

  switchEnd(port: 'p1' | 'p2'): PacketSocket {
    return this.#open(this.switch, port);
  }

  #open(namespace: string, link: string): PacketSocket {
    const socket = inNamespace(namespace, () => new PacketSocket(link));
    this.#closing.push(() => socket.close());
    return socket;
  }

  netlink(port: 'p1' | 'p2', station: Lldpad): LldpadNetlink {
    const netlink = new LldpadNetlink(this.host(port), stationLink, station.pid);
    this.#closing.push(() => netlink.close());
    return netlink;
  }

  async stop(station: Lldpad, signal?: NodeJS.Signals): Promise<void> {
    this.#stations.delete(station);
    await station.stop(signal);
  }

  async setLink(port: 'p1' | 'p2', end: 'host' | 'switch', up: boolean): Promise<void> {
    const [namespace, link] = end === 'host' ? [this.host(port), stationLink] : [this.switch, port];
    await ip(namespace, [`link set ${link} ${up ? 'up' : 'down'}`]);
  }

  /** Our machine at p1 with a decision of the test's own. */
  scripted(decide: (request: Request) => Verdict): ScriptedBridge {
    const bridge = new ScriptedBridge(this.switch, decide);
    this.#closing.push(() => bridge.close());
    return bridge;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const close of this.#closing) close();
    for (const station of this.#stations) await station.stop('SIGKILL');
    await this.processes.stopAll();
    libc().umount2(join(this.directory, 'state', 'bpf'), 2);
    for (const namespace of [this.host('p1'), this.host('p2'), this.switch]) await deleteNamespace(namespace);
    rmSync(this.directory, { recursive: true, force: true });
  }
}

export class ScriptedBridge {
  readonly driver: Driver<BridgePort, BridgePortOutput>;
  readonly seen: BridgePortOutput[] = [];
  readonly #socket: PacketSocket;

  constructor(namespace: string, decide: (request: Request) => Verdict) {
    const filter = etherTypeFilter(controlEtherTypes);
    this.#socket = inNamespace(namespace, () => new PacketSocket('p1', { filter }));
    const machine = new BridgePort({
      mac: inNamespace(namespace, () => interfaceAddress('p1')),
      systemName: 'leaf1',
      portId: 'p1',
      evb: { reflectiveRelay: true, groupIds: true, timers: quick },
    });
    this.driver = new Driver<BridgePort, BridgePortOutput>(machine, systemClock, (output) => {
      if (output.kind === 'send') this.#socket.send(output.frame);
      else this.seen.push(output);
      if (output.kind === 'request')
        this.driver.do((port, now) => port.answer(output.token, decide(output), now));
    });
    this.#socket.listen(
      (frame) => this.driver.receive(frame),
      (error) => {
        throw error;
      },
    );
    this.driver.do((port, now) => port.linkUp(now));
  }

  close(): void {
    this.driver.stop();
    this.#socket.close();
  }
}

/** What the agent's configuration file says of profiles and VSIs, and of more ports than p1 and p2. */
export interface Book {
  readonly ports?: Readonly<Record<string, object>>;
  readonly profiles: readonly {
    readonly managerId: string;
    readonly typeId: number;
    readonly vlan: number;
    readonly tagged?: boolean;
  }[];
  readonly vsis: readonly {
    readonly vsiId: VsiId;
    readonly macs: readonly MacAddress[];
    readonly profile: string;
  }[];
}

/** The real agent, `hairpin bridge --config FILE`, on p1 and p2. */
export class Agent {
  readonly #wires: Wires;
  readonly #name: string;

  private constructor(wires: Wires, name: string) {
    this.#wires = wires;
    this.#name = name;
  }

  static async start(
    wires: Wires,
    book: Book | { manager: string; stationKeys?: string },
    timers: EvbTimers = quick,
  ): Promise<Agent> {
    const stateDirectory = join(wires.directory, 'state');
    mkdirSync(stateDirectory, { recursive: true, mode: 0o700 });
    const path = join(wires.directory, 'bridge.yaml');
    const named =
      'manager' in book
        ? book
        : {
            profiles: book.profiles.map((profile) => ({
              typeVersion: 1,
              name: 'test',
              tenant: 'red',
              ...profile,
            })),
            vsis: book.vsis.map((vsi) => ({ name: 'vm', tenant: 'red', ...vsi })),
          };
    const config = {
      name: 'leaf1',
      stateDirectory,
      evb: timers,
      limits: { vsisPerPort: 2048 },
      ...named,
      ports: {
        // what the standard has; by default a VSI is held
        p1: { kind: 'station', hold: 'release' },
        p2: { kind: 'station', hold: 'release' },
        ...('ports' in book ? book.ports : {}),
      },
    };
    writeFileSync(path, JSON.stringify(config));
    const name = `bridge-${count++}`;
    await wires.processes.start(name, wires.switch, ['bridge', '--config', path]);
    return new Agent(wires, name);
  }

  stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    return this.#wires.processes.stop(this.#name, signal);
  }

  get pid(): number {
    return this.#wires.processes.pid(this.#name)!;
  }

  async shown(name: string): Promise<ShownPort> {
    const control = join(this.#wires.directory, 'state', 'control.sock');
    const { ports } = (await callLocal(control, 'show')) as ShownBridge;
    const port = ports.find((port) => port.name === name);
    assert.ok(port);
    return port;
  }

  async port(name: 'p1' | 'p2'): Promise<NonNullable<ShownPort['station']>> {
    const { station } = await this.shown(name);
    assert.ok(station);
    return station;
  }

  /** What the data plane does with a VSI at a port. */
  async placeOf(name: 'p1' | 'p2', vsiId: VsiId): Promise<string | null | undefined> {
    return (await this.port(name)).vsis.find((vsi) => vsi.vsiId === vsiId)?.place;
  }

  /** What it has logged of a VSI, in order: "VSI ID (VM) associate at p1: granted" is "associate at p1: granted". */
  story(vsiId: VsiId): string[] {
    const of = new RegExp(`^VSI ${vsiId} (?:\\([^)]*\\) )?`);
    return this.log().flatMap((message) => (of.test(message) ? [message.replace(of, '')] : []));
  }

  log(): string[] {
    return readFileSync(join(this.#wires.directory, `${this.#name}.log`), 'utf8')
      .split('\n')
      .filter((line) => line.startsWith('{'))
      .map((line) => (JSON.parse(line) as { msg: string }).msg);
  }

  /** The associations at a port by VSI. */
  async held(name: 'p1' | 'p2'): Promise<Record<string, string>> {
    const { vsis } = await this.port(name);
    return Object.fromEntries(vsis.map(({ vsiId, association }) => [vsiId, association]));
  }
}

/** Asks again until `is` holds, for 15 s at most unless said otherwise. */
export async function until<T>(
  what: string,
  ask: () => Promise<T> | T,
  is: (value: T) => boolean,
  everyMs = 20,
  withinMs = 15_000,
): Promise<T> {
  const end = Date.now() + withinMs;
  for (;;) {
    const value = await ask();
    if (is(value)) return value;
    assert.ok(Date.now() < end, `${what}: ${JSON.stringify(value)?.slice(-900)}`);
    await new Promise((resolve) => setTimeout(resolve, everyMs));
  }
}

export function vsiId(n: number): VsiId {
  return parseVsiId(`a0000000-0000-4000-8000-${String(n).padStart(12, '0')}`);
}

export function mac(n: number): MacAddress {
  const hex = n.toString(16).padStart(4, '0');
  return parseMac(`52:54:00:00:${hex.slice(0, 2)}:${hex.slice(2)}`);
}

/** VSI n as vdptool is told of it. */
export function asked(n: number, filters: readonly string[], more: Partial<LldpadVsi> = {}): LldpadVsi {
  return { vsiId: vsiId(n), managerId: 'mgr1', typeId: 17, typeVersion: 1, filters, ...more };
}
