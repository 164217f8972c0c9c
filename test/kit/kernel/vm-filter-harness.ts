import assert from 'node:assert/strict';
import { readSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { writeFileSync } from 'node:fs';
import { callLocal } from '../../../src/local/socket-client.ts';
import { macToBytes, parseMac, type MacAddress } from '../../../src/domain/mac-address.ts';
import { interfaceAddress, interfaceIndex } from '../../../src/linux/net/interfaces.ts';
import { libc } from '../../../src/linux/libc.ts';
import {
  createQuietNamespace,
  deleteNamespace,
  inNamespace,
  nsenter,
} from '../../../src/linux/net/namespace.ts';
import { PacketSocket } from '../../../src/linux/net/packet-socket.ts';
import { ip, run } from '../../../src/linux/run.ts';
import { groupAddresses } from '../../../src/protocol/ethernet.ts';
import { etherTypes } from '../../../src/domain/packet-numbers.ts';
import type { VmFilterStatus } from '../../../src/station/vm-filter.ts';
import { quick, until, type Wires } from './lldpad-harness.ts';

/** An EtherType for experiments: nobody's control frame. */
export const ordinary = 0x88b5;
const group = (last: number) => parseMac(`01:80:c2:00:00:${last.toString(16).padStart(2, '0')}`);
export const elsewhere = parseMac('02:00:00:00:00:99');

const slowProtocols = 0x8809;
const eapol = 0x888e;
const kinds: Readonly<Record<string, readonly [MacAddress, number]>> = {
  'LLDP to the nearest customer bridge': [group(0x0), etherTypes.lldp],
  'LLDP to the nearest bridge': [group(0xe), etherTypes.lldp],
  'LLDP to one address': [elsewhere, etherTypes.lldp],
  ECP: [group(0x0), etherTypes.ecp],
  'ECP to one address': [elsewhere, etherTypes.ecp],
  'draft ECP': [group(0xe), etherTypes.draftEcp],
  'draft ECP to one address': [elsewhere, etherTypes.draftEcp],
  'slow protocols': [group(0x2), slowProtocols],
  EAPOL: [group(0x3), eapol],
  'IPv6 to a reserved address': [group(0xf), 0x86dd],
};
const type = (value: number) => [value >> 8, value & 0xff];
const snap = [0xaa, 0xaa, 3, 0, 0, 0];
const forms: Readonly<Record<string, (ether: number) => number[]>> = {
  untagged: (ether) => type(ether),
  'with priority tag': (ether) => [0x81, 0, 0xe0, 0, ...type(ether)],
  'in VLAN 100': (ether) => [0x81, 0, 0, 100, ...type(ether)],
  'with two tags': (ether) => [0x88, 0xa8, 0, 5, 0x81, 0, 0, 100, ...type(ether)],
  'in SNAP': (ether) => [0, 54, ...snap, ...type(ether)],
  'tagged, in SNAP': (ether) => [0x81, 0, 0, 100, 0, 54, ...snap, ...type(ether)],
  'in SNAP, tagged': (ether) => [0, 54, ...snap, 0x81, 0, 0, 100, ...type(ether)],
};

export interface Named {
  readonly name: string;
  readonly frame: Uint8Array;
}

/** Every kind of control frame, in every form, from each of these addresses. */
export function controlFrames(...sources: readonly MacAddress[]): Named[] {
  return Object.entries(kinds).flatMap(([kind, [destination, ether]]) =>
    Object.entries(forms).flatMap(([form, header]) =>
      sources.map((source) => ({
        name: `${kind}, ${form}, from ${source}`,
        frame: framed(destination, source, header(ether)),
      })),
    ),
  );
}

export function ordinaryFrame(source: MacAddress, destination = elsewhere): Uint8Array {
  return framed(destination, source, type(ordinary));
}

function framed(destination: MacAddress, source: MacAddress, rest: readonly number[]): Uint8Array {
  const frame = new Uint8Array(68);
  frame.set([...macToBytes(destination), ...macToBytes(source), ...rest]);
  return frame;
}

/** Everything that an interface hears, until it is closed. */
export class Ear implements Disposable {
  readonly #socket: PacketSocket;
  readonly #heard: Uint8Array[] = [];

  constructor(namespace: string, link: string) {
    this.#socket = inNamespace(namespace, () => new PacketSocket(link, { groups: groupAddresses }));
  }

  /** What came until the ordinary frame did that `last` has sent after all others; without that frame. */
  async until(last: () => void): Promise<Uint8Array[]> {
    last();
    await until(
      'the ordinary frame',
      () => this.#take(),
      (frames) => frames.some(isOrdinary),
    );
    return this.#heard.splice(0).filter((frame) => !isOrdinary(frame));
  }

  #take(): readonly Uint8Array[] {
    this.#socket.take((frame) => void this.#heard.push(frame.slice()));
    return this.#heard;
  }

  [Symbol.dispose](): void {
    this.#socket.close();
  }
}

const isOrdinary = (frame: Uint8Array) => frame[12] === ordinary >> 8 && frame[13] === (ordinary & 0xff);

/** Names of those of the frames that were heard. */
export function namesOf(heard: readonly Uint8Array[], sent: readonly Named[]): string[] {
  const hex = (frame: Uint8Array) => Buffer.from(frame).toString('hex');
  const byContent = new Map(sent.map(({ name, frame }) => [hex(frame), name]));
  return heard.flatMap((frame) => byContent.get(hex(frame)) ?? []);
}

/** A namespace in which the VM's root does what he likes. */
export async function vmNamespace(name: string): Promise<AsyncDisposable> {
  await createQuietNamespace(name);
  return { [Symbol.asyncDispose]: () => deleteNamespace(name) };
}

/** A raw socket in a namespace; `bypass`: past the interface's egress hook, as PACKET_QDISC_BYPASS does. */
export class Mouth implements Disposable {
  readonly #fd: number;

  constructor(namespace: string, link: string, { bypass = false, mark = 0, priority = 0 } = {}) {
    const { socket, bind, setsockopt } = libc();
    const int = (value: number) => new Uint8Array(Int32Array.of(value).buffer);
    this.#fd = inNamespace(namespace, () => {
      const fd = socket(17, 3, 0);
      const address = new Uint8Array(20);
      new DataView(address.buffer).setUint16(0, 17, true);
      new DataView(address.buffer).setInt32(4, interfaceIndex(link), true);
      assert.equal(bind(fd, address, address.length), 0);
      if (bypass) assert.equal(setsockopt(fd, 263, 20, int(1), 4), 0);
      if (mark) assert.equal(setsockopt(fd, 1, 36, int(mark), 4), 0);
      if (priority) assert.equal(setsockopt(fd, 1, 12, int(priority), 4), 0);
      return fd;
    });
  }

  say(frame: Uint8Array): void {
    libc().send(this.#fd, frame, frame.length, 0);
  }

  [Symbol.dispose](): void {
    libc().close(this.#fd);
  }
}

/** The device of a macvtap, as QEMU has it. */
export class Tap implements Disposable {
  readonly #fd: number;

  private constructor(fd: number) {
    this.#fd = fd;
  }

  /** @param opener the namespace of the process that opens it; by default the macvtap's */
  static async open(wires: Wires, namespace: string, link: string, opener = namespace): Promise<Tap> {
    const device = `/tmp/fs/class/net/${link}/macvtap/tap*/dev`;
    const read = `mkdir -p /tmp/fs && mount -t sysfs fs /tmp/fs && cat ${device}`;
    const [command, ...args] = nsenter(namespace, [
      'unshare',
      '--mount',
      'sh',
      '-ec',
      `mount -t tmpfs t /tmp; ${read}`,
    ]);
    const [major, minor] = (await run(command, args)).trim().split(':');
    const path = join(wires.directory, `tap-${namespace}-${link}`);
    await run('sh', ['-c', `[ -e ${path} ] || mknod ${path} c ${major} ${minor}`]);
    const readWriteNonBlocking = 2 | 0o4000;
    const fd = inNamespace(opener, () => libc().open(path, readWriteNonBlocking));
    assert.ok(fd >= 0, path);
    const request = new Uint8Array(40);
    new DataView(request.buffer).setUint16(16, 0x1002, true); // IFF_TAP | IFF_NO_PI
    assert.equal(libc().ioctl(fd, 0x400454ca, request), 0, 'TUNSETIFF');
    return new Tap(fd);
  }

  say(frame: Uint8Array): void {
    writeSync(this.#fd, frame);
  }

  /** What has come so far. */
  take(): Uint8Array[] {
    const heard: Uint8Array[] = [];
    for (;;) {
      const buffer = new Uint8Array(2048);
      try {
        heard.push(buffer.subarray(0, readSync(this.#fd, buffer)));
      } catch {
        return heard;
      }
    }
  }

  [Symbol.dispose](): void {
    libc().close(this.#fd);
  }
}

/** A real station agent on a host's uplink, whose manager is not there. */
export class StationAgent {
  readonly control: string;
  readonly config: string;
  readonly #wires: Wires;
  readonly #namespace: string;
  readonly #uplink: string;
  #count = 0;

  constructor(wires: Wires, namespace: string, uplink = 'eth0') {
    this.#wires = wires;
    this.#namespace = namespace;
    this.#uplink = uplink;
    this.control = join(wires.directory, 'station.sock');
    this.config = join(wires.directory, 'station.yaml');
    const manager = `unix:${join(wires.directory, 'none.sock')}`;
    writeFileSync(
      this.config,
      JSON.stringify({ name: 'h1', uplink, manager, control: this.control, evb: quick }),
    );
  }

  get mac(): MacAddress {
    return inNamespace(this.#namespace, () => interfaceAddress(this.#uplink));
  }

  async start(): Promise<void> {
    await this.#wires.processes.start(`station-${++this.#count}`, this.#namespace, [
      'station',
      '--config',
      this.config,
    ]);
  }

  get pid(): number {
    return this.#wires.processes.pid(`station-${this.#count}`)!;
  }

  stop(signal: NodeJS.Signals): Promise<void> {
    return this.#wires.processes.stop(`station-${this.#count}`, signal);
  }

  status(): Promise<VmFilterStatus> {
    return callLocal(this.control, 'filter') as Promise<VmFilterStatus>;
  }

  /** Waits until the filter is at these interfaces, in this order, and at no others. */
  filters(...names: readonly string[]): Promise<VmFilterStatus> {
    return until(
      `the filter is at ${names.join(', ') || 'no interface'}`,
      () => this.status(),
      ({ interfaces }) => interfaces.map(({ name }) => name).join() === names.join(),
    ).then(() => this.status());
  }
}

/** `ip` in a host's or VM's namespace. */
export const links = (namespace: string, ...lines: readonly string[]) => ip(namespace, lines);
