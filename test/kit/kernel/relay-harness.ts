import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { VsiId } from '../../../src/domain/vsi-id.ts';
import {
  createQuietNamespace,
  deleteNamespace,
  inNamespace,
  nsenter,
} from '../../../src/linux/net/namespace.ts';
import { PacketSocket } from '../../../src/linux/net/packet-socket.ts';
import { ip, run } from '../../../src/linux/run.ts';
import { EbpfRelay } from '../../../src/relay/ebpf/relay.ts';
import { hostProtocols, type RelayState } from '../../../src/relay/contract/relay.ts';
import { plain } from '../relay/frames.ts';
import { sendSuperFrame } from './super-frame.ts';

const sender = fileURLToPath(new URL('relay-sender.ts', import.meta.url));
const marker = 'hp-marker';
const stackTypes = [0x88b5, ...Object.values(hostProtocols)];
let count = 0;

/** A switch in a namespace of its own: veth pairs, the near ends its ports, a packet socket at every far end. */
export class KernelSwitch {
  readonly namespace: string;
  readonly directory: string;
  relay!: EbpfRelay;
  /** the driver's clock */
  now = (): bigint => process.hrtime.bigint();
  readonly #names: readonly string[];
  readonly #far = new Map<string, PacketSocket>();
  readonly #near = new Map<string, PacketSocket>();
  /** what the protocol stack hears at each port */
  readonly #ears = new Map<string, PacketSocket[]>();
  #out = new Map<string, Uint8Array[]>();
  /** frames that came out of the far ends ever */
  #heard = 0;
  /** markers made so far, and the last that came over each link */
  #markers = 0;
  readonly #marks = new Map<string, string>();
  #marked: () => void = () => {};

  static async open(names: readonly string[]): Promise<KernelSwitch> {
    const it = new KernelSwitch(names);
    try {
      await it.#open();
      return it;
    } catch (error) {
      await it.close();
      throw error;
    }
  }

  private constructor(names: readonly string[]) {
    this.#names = names;
    this.namespace = `hp-relay-${process.pid}-${count++}`;
    this.directory = join(mkdtempSync(join(tmpdir(), 'hp-relay-')), 'pins');
  }

  async #open(): Promise<void> {
    // frames of one CPU stay in order, which is what the markers of `exchange` rely on
    await run('taskset', ['-c', '-p', '0', String(process.pid)]);
    await createQuietNamespace(this.namespace);
    for (const name of this.#names) await this.addLink(name);
    this.reopen();
  }

  /** Until the kernel has taken note of a new link's carrier, for which it takes up to 1 s, it drops what is sent there. */
  async #carries(link: string): Promise<void> {
    while (!(await run('ip', ['-n', this.namespace, '-o', 'link', 'show', link])).includes('state UP'))
      await sleep(10);
  }

  /** Makes a port's link, or makes it anew after it was deleted. */
  async addLink(name: string): Promise<void> {
    await ip(this.namespace, [
      `link add ${name} mtu 9000 type veth peer name far-${name} mtu 9000`,
      `link set ${name} up`,
      `link set far-${name} up`,
    ]);
    for (const end of [name, `far-${name}`]) await this.#carries(end);
    this.#far.get(name)?.close();
    this.#near.get(name)?.close();
    this.inside(() => {
      const far = new PacketSocket(`far-${name}`, { snapLength: 10_000, receiveBuffer: 1 << 26 });
      far.listen(
        (frame) => this.#receive(name, frame),
        (error) => {
          throw error;
        },
      );
      this.#far.set(name, far);
      this.#near.set(name, new PacketSocket(name));
      for (const ear of this.#ears.get(name) ?? []) ear.close();
      this.#ears.set(
        name,
        stackTypes.map((etherType) => new PacketSocket(name, { etherType })),
      );
    });
  }

  inside<T>(body: () => T): T {
    return inNamespace(this.namespace, body);
  }

  /** The relay of a new process, as far as the data plane can tell. */
  reopen(): void {
    this.relay = this.inside(() =>
      EbpfRelay.open(
        this.directory,
        (error) => {
          throw error;
        },
        () => this.now(),
      ),
    );
  }

  apply(state: RelayState, changed?: ReadonlySet<VsiId>): void {
    this.inside(() => this.relay.apply(state, changed));
  }

  send(port: string, frame: Uint8Array): void {
    if (!this.offer(port, frame)) throw new Error(`the kernel did not take a frame for ${port}`);
  }

  /** False where the kernel has too many of this port's frames on their way already. */
  offer(port: string, frame: Uint8Array): boolean {
    return this.#far.get(port)!.send(frame);
  }

  /**
   * A stream of numbered frames into a port from a process on another CPU, while `meanwhile` is called again and again
   * with its turn; then all that came out, and how many ns the stream took.
   */
  async stream(
    port: string,
    frame: Uint8Array,
    { count, intervalNs }: { readonly count: number; readonly intervalNs: number },
    meanwhile: (turn: number) => void,
  ): Promise<{ out: Map<string, Uint8Array[]>; ns: number }> {
    const hex = Buffer.from(frame).toString('hex');
    const node = [process.execPath, sender, `far-${port}`, String(count), String(intervalNs), hex];
    const [command, ...args] = nsenter(this.namespace, ['taskset', '-c', '1', ...node]);
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    const printed = child.stdout.toArray();
    const ended = once(child, 'close');
    for (let turn = 0; child.exitCode === null; turn++) {
      meanwhile(turn);
      await new Promise((resolve) => setImmediate(resolve));
    }
    const [code] = (await ended) as [number | null];
    if (code !== 0) throw new Error(`the sender ended with ${code}`);
    return { out: await this.drain(), ns: Number((await printed).join('')) };
  }

  async exchange(port: string, ...frames: Uint8Array[]): Promise<Map<string, Uint8Array[]>> {
    return this.exchangeAmong(this.#names, port, ...frames);
  }

  async exchangeSuper(port: string, frame: Uint8Array, size: number): Promise<Map<string, Uint8Array[]>> {
    this.inside(() => sendSuperFrame(`far-${port}`, frame, size));
    return this.drain();
  }

  async setMtu(port: string, mtu: number): Promise<void> {
    await ip(this.namespace, [`link set ${port} mtu ${mtu}`]);
    this.inside(() => this.relay.rebind(port));
  }

  /** `exchange` while only some of the links are there. */
  async exchangeAmong(
    names: readonly string[],
    port: string,
    ...frames: Uint8Array[]
  ): Promise<Map<string, Uint8Array[]>> {
    for (const frame of frames) this.send(port, frame);
    return this.drain(names);
  }

  /**
   * All that came out so far. What is on its way is waited for: a marker passes each link after the frames before it,
   * a second one after what those frames caused. A group frame to many VSIs goes in portions, each of which causes the
   * next one; so there is another round as long as the last one brought something.
   */
  async drain(names: readonly string[] = this.#names): Promise<Map<string, Uint8Array[]>> {
    let heard: number;
    let rounds = 0;
    do {
      heard = this.#heard;
      await this.#mark(names);
    } while (++rounds < 2 || this.#heard > heard);
    for (const ear of [...this.#ears.values()].flat()) ear.take((frame) => this.#receive('host', frame));
    const out = this.#out;
    this.#out = new Map();
    return out;
  }

  /** Waits until a new marker came over each of the links; one that the kernel drops among many others is sent again. */
  async #mark(names: readonly string[]): Promise<void> {
    const number = String(++this.#markers).padStart(8, '0');
    const missing = () => names.filter((name) => this.#marks.get(name) !== number);
    const frame = plain('02:00:00:00:00:01', '02:00:00:00:00:02', `${marker}${number}`);
    for (let tries = 0; missing().length > 0; tries++) {
      if (tries === 500) throw new Error(`no marker arrives at ${missing().join(', ')}`);
      for (const name of missing()) this.#near.get(name)!.send(frame);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, 10);
        this.#marked = () => {
          if (missing().length > 0) return;
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }

  /** Waits, and a little longer than the clocks differ. */
  async pass(seconds: number): Promise<void> {
    await sleep(seconds * 1000 + 100);
  }

  #receive(port: string, frame: Uint8Array): void {
    const text = Buffer.from(frame.subarray(14, 14 + marker.length + 8)).toString();
    if (text.startsWith(marker)) {
      this.#marks.set(port, text.slice(marker.length));
      this.#marked();
      return;
    }
    this.#heard++;
    const frames = this.#out.get(port) ?? [];
    frames.push(frame.slice());
    this.#out.set(port, frames);
  }

  async close(): Promise<void> {
    for (const socket of [...this.#far.values(), ...this.#near.values(), ...[...this.#ears.values()].flat()])
      socket.close();
    try {
      this.inside(() => this.relay.destroy());
    } finally {
      await deleteNamespace(this.namespace);
      rmSync(join(this.directory, '..'), { recursive: true });
    }
  }
}
