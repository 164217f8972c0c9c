import { existsSync, mkdirSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { prefixLength, uplink, type HostName, type LabVmPlan } from '../scenario.ts';
import type { LabNames } from '../topology.ts';
import type { LabVm, Manner, MigrationHooks, Stop } from '../vm.ts';
import type { GuestImages } from './images.ts';
import { moveGuest } from './move.ts';
import { QemuGuest } from './qemu-guest.ts';

export interface QemuVmOptions {
  readonly names: LabNames;
  /** the lab's own directory: sockets, logs and consoles of the guests are in HOST-guests below it */
  readonly directory: string;
  /** where a host's station looks for monitors, which are called NAME.ev */
  readonly monitors: (host: HostName) => string;
  readonly images: GuestImages;
}

/** A VM of the lab that is a real QEMU guest; its stations see by its monitors what becomes of it. */
export class QemuVm implements LabVm {
  readonly plan: LabVmPlan;
  readonly watched = true;
  readonly #options: QemuVmOptions;
  #guest: QemuGuest | null = null;
  #host: HostName | null = null;

  constructor(plan: LabVmPlan, options: QemuVmOptions) {
    this.plan = plan;
    this.#options = options;
  }

  get host(): HostName | null {
    return this.#host;
  }

  get ended(): string | null {
    return this.#guest?.ended ?? null;
  }

  async start(): Promise<void> {
    const { host } = this.plan;
    this.#guest = await this.#place(host, false, this.#monitor(host));
    this.#host = host;
    await this.#guest.booted();
  }

  /** Unannounced, the destination's monitor is kept from the station there until `reveal`. */
  async migrate(to: HostName, hooks: MigrationHooks, manner: Manner): Promise<Stop> {
    const source = this.#guest;
    if (!source || this.#host === to)
      throw new Error(`VM ${this.plan.name} cannot move from ${this.#host ?? 'nowhere'} to ${to}`);
    const destination = await this.#place(
      to,
      true,
      manner.unannounced ? this.#hiddenMonitor(to) : this.#monitor(to),
    );
    const stop = await moveGuest(source, destination, `unix:${this.#file(to, 'migration')}`, hooks, manner);
    this.#guest = destination;
    this.#host = to;
    await source.stop();
    return stop;
  }

  announceItself(): void {
    void this.#guest?.announceItself().catch(() => {}); // one that has ended is told of elsewhere
  }

  /** Lets the station see a guest that came hidden. */
  reveal(): void {
    if (this.#host && existsSync(this.#hiddenMonitor(this.#host)))
      renameSync(this.#hiddenMonitor(this.#host), this.#monitor(this.#host));
  }

  async stop(): Promise<void> {
    const guest = this.#guest;
    this.#guest = null;
    this.#host = null;
    await guest?.stop();
  }

  #place(host: HostName, incoming: boolean, monitor: string): Promise<QemuGuest> {
    const { names, images } = this.#options;
    const { name, mac, address } = this.plan;
    mkdirSync(this.#directory(host), { recursive: true });
    return QemuGuest.start({
      name,
      mac,
      address: `${address}/${prefixLength}`,
      namespace: names.host(host),
      uplink,
      directory: this.#directory(host),
      monitor,
      images,
      incoming,
    });
  }

  #directory(host: HostName): string {
    return join(this.#options.directory, `${host}-guests`);
  }

  #file(host: HostName, suffix: string): string {
    return join(this.#directory(host), `${this.plan.name}.${suffix}`);
  }

  #monitor(host: HostName): string {
    return join(this.#options.monitors(host), `${this.plan.name}.ev`);
  }

  #hiddenMonitor(host: HostName): string {
    return this.#file(host, 'ev');
  }
}
