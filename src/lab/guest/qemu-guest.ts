import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, openSync, readFileSync, rmSync, watch } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Failure } from '../../base/failure.ts';
import type { MacAddress } from '../../domain/mac-address.ts';
import { QmpClient, QmpError } from '../../hypervisors/qemu/qmp-client.ts';
import type { QmpEvent } from '../../hypervisors/qemu/qmp-message.ts';
import { nsenter } from '../../linux/net/namespace.ts';
import { endOf } from '../ended.ts';
import type { GuestImages } from './images.ts';
import { upLine } from './initramfs.ts';
import { Macvtap } from './macvtap.ts';

export interface GuestOptions {
  readonly name: string;
  readonly mac: MacAddress;
  /** IPv4 with prefix length */
  readonly address: string;
  /** the host: its namespace and uplink there */
  readonly namespace: string;
  readonly uplink: string;
  /** for the files NAME.qmp, NAME.serial and NAME.log; each host has its own */
  readonly directory: string;
  /** the path of the station's own monitor */
  readonly monitor: string;
  readonly images: GuestImages;
  /** waits for a migration, with its NIC down, and does not run by itself when that is complete (as libvirt's do) */
  readonly incoming: boolean;
}

/** A guest that did not start, or ended; the message has QEMU's own last words. */
export class GuestError extends Failure {
  override name = 'GuestError';
}

/**
 * Not a multiple of 256 KiB: with such sizes QEMU's emulator (TCG; seen in 7.2) looks for changed pages by a shortcut
 * that forgets to have later changes noticed, and a guest that was migrated soon dies of its stale memory.
 */
const memoryKiB = 96 * 1024 + 64;
/** What the guest can do without costs an emulated CPU a third of its start: calibrations, self-tests, ACPI, policies. */
const kernelParameters = [
  'console=ttyS0 quiet panic=-1 ipv6.disable=1',
  'mitigations=off nokaslr apparmor=0 audit=0 acpi=off',
  'no_timer_check tsc=reliable lpj=4000000 cryptomgr.notests',
].join(' ');
const startTimeoutMs = 30_000;
const connectPauseMs = 10;
/** what connect says to a QEMU that is on its way, up or down */
const notServing = new Set(['ENOENT', 'ECONNREFUSED', 'ECONNRESET', 'EOF']);

/** One QEMU process on one host, with its NIC. */
export class QemuGuest {
  readonly name: string;
  readonly #options: GuestOptions;
  readonly #nic: Macvtap;
  readonly #process: ChildProcess;
  readonly #exited: Promise<void>;
  readonly #listeners = new Set<(event: QmpEvent) => void>();
  #qmp!: QmpClient;

  private constructor(options: GuestOptions, nic: Macvtap, child: ChildProcess) {
    this.name = options.name;
    this.#options = options;
    this.#nic = nic;
    this.#process = child;
    this.#exited = new Promise((resolve) => {
      child.once('exit', () => resolve());
      child.once('error', () => resolve());
    });
  }

  /** Starts QEMU and connects to its control monitor; the guest then boots, or waits. @throws GuestError */
  static async start(options: GuestOptions): Promise<QemuGuest> {
    const { namespace, uplink, mac, name, directory, monitor } = options;
    for (const path of [
      monitor,
      ...['qmp', 'serial', 'log'].map((suffix) => join(directory, `${name}.${suffix}`)),
    ])
      rmSync(path, { force: true });
    const nic = await Macvtap.create(namespace, uplink, `mv-${name}`, mac);
    let guest: QemuGuest | undefined;
    try {
      if (!options.incoming) nic.setUp(true);
      guest = new QemuGuest(options, nic, await launch(options, nic));
      await guest.#connect();
      return guest;
    } catch (error) {
      await (guest ? guest.stop() : nic.remove());
      throw error;
    }
  }

  /** Resolves when the guest has its address and answers. @throws GuestError if it does not get there */
  async booted(): Promise<void> {
    const path = join(this.#options.directory, `${this.name}.serial`);
    const isUp = () => readFileSync(path, 'utf8').includes(upLine);
    const changes = watch(path);
    let timer: NodeJS.Timeout | undefined;
    try {
      await new Promise<void>((resolve, reject) => {
        const look = () => {
          if (isUp()) resolve();
        };
        changes.on('change', look);
        timer = setTimeout(() => reject(this.#error(`not up within ${startTimeoutMs} ms`)), startTimeoutMs);
        void this.#exited.then(() => reject(this.#error('ended while it booted')));
        look();
      });
    } finally {
      clearTimeout(timer);
      changes.close();
    }
  }

  /** How QEMU ended; null while it runs. */
  get ended(): string | null {
    return endOf(this.#process);
  }

  /** Runs a QMP command. @throws QmpError */
  execute(command: string, args?: Readonly<Record<string, unknown>>): Promise<unknown> {
    return this.#qmp.execute(command, args);
  }

  /** The next event that `accepts` takes. @throws GuestError if QEMU ends, or it does not come within `timeoutMs` */
  event(accepts: (event: QmpEvent) => boolean, timeoutMs: number): Promise<QmpEvent> {
    return new Promise((resolve, reject) => {
      const listener = (event: QmpEvent) => {
        if (!accepts(event)) return;
        done();
        resolve(event);
      };
      const fail = (what: string) => {
        if (!this.#listeners.has(listener)) return; // it has come
        done();
        reject(this.#error(what));
      };
      const timer = setTimeout(() => fail(`not within ${timeoutMs} ms what was waited for`), timeoutMs);
      const done = () => {
        clearTimeout(timer);
        this.#listeners.delete(listener);
      };
      this.#listeners.add(listener);
      void this.#exited.then(() => fail('ended'));
    });
  }

  /** QEMU sends RARPs for the guest, and asks it to announce its addresses, as after a migration. */
  async announceItself(): Promise<void> {
    await this.execute('announce-self', { initial: 50, max: 550, rounds: 5, step: 100 });
  }

  setLink(up: boolean): void {
    this.#nic.setUp(up);
  }

  /** Ends QEMU and removes its NIC and sockets. */
  async stop(): Promise<void> {
    const { directory, monitor } = this.#options;
    this.#process.kill('SIGKILL');
    await this.#exited;
    this.#qmp?.close();
    await this.#nic.remove();
    for (const path of [monitor, join(directory, `${this.name}.qmp`)]) rmSync(path, { force: true });
  }

  /** QEMU opens its monitors some time after it was started. */
  async #connect(): Promise<void> {
    const path = join(this.#options.directory, `${this.name}.qmp`);
    let gone = false;
    void this.#exited.then(() => (gone = true));
    for (const end = performance.now() + startTimeoutMs; ; await sleep(connectPauseMs))
      try {
        this.#qmp = await QmpClient.connect(path, {
          onEvent: (event) => {
            for (const listener of this.#listeners) listener(event);
          },
        });
        return;
      } catch (error) {
        if (gone) throw this.#error('did not start');
        const notYet = error instanceof QmpError && error.code !== null && notServing.has(error.code);
        if (!notYet || performance.now() > end) throw error;
      }
  }

  #error(what: string): GuestError {
    const words = lastLine(join(this.#options.directory, `${this.name}.log`));
    return new GuestError(
      `guest ${this.name} on ${this.#options.namespace}: ${what}${words && `: ${words}`}`,
    );
  }
}

/** The last line of a file; empty if there is none. */
function lastLine(path: string): string {
  try {
    return readFileSync(path, 'utf8').trim().split('\n').at(-1)!;
  } catch {
    return '';
  }
}

/** Starts QEMU in the host's namespace; it ends with this process, whatever way that ends. */
async function launch(options: GuestOptions, nic: Macvtap): Promise<ChildProcess> {
  const { namespace, directory, name } = options;
  const tap = await nic.open(join(directory, `${name}.tap`));
  const log = openSync(join(directory, `${name}.log`), 'w');
  try {
    const mortal = ['setpriv', '--pdeathsig', 'KILL'];
    const [command, ...args] = nsenter(namespace, [
      ...mortal,
      'qemu-system-x86_64',
      ...qemuArguments(options),
    ]);
    return spawn(command, args, { stdio: ['ignore', log, log, tap] });
  } finally {
    closeSync(log);
    closeSync(tap);
  }
}

/** QEMU's command line; the tap is file descriptor 3. All is emulated (TCG): nested machines seldom have KVM. */
function qemuArguments({ name, mac, address, directory, monitor, images, incoming }: GuestOptions): string[] {
  const socket = (path: string) => `unix:${path},server=on,wait=off`;
  return [
    ['-name', name, '-nodefaults', '-no-user-config', '-display', 'none', '-no-reboot'],
    ['-machine', 'pc,hpet=off', '-accel', 'tcg,tb-size=64', '-cpu', 'qemu64', '-m', `${memoryKiB}K`],
    ['-kernel', images.kernel, '-initrd', images.initramfs],
    ['-append', `${kernelParameters} vm_address=${address}`],
    ['-netdev', 'tap,id=net0,fd=3,vhost=off'],
    ['-device', `virtio-net-pci,id=nic0,netdev=net0,mac=${mac},romfile=`],
    ['-serial', `file:${join(directory, `${name}.serial`)}`],
    ['-qmp', socket(join(directory, `${name}.qmp`)), '-qmp', socket(monitor)],
    incoming ? ['-S', '-incoming', 'defer'] : [],
  ].flat();
}
