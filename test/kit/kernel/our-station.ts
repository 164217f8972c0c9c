import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { callLocal } from '../../../src/local/socket-client.ts';
import type { MacAddress } from '../../../src/domain/mac-address.ts';
import type { HypervisorEventKind } from '../../../src/hypervisors/event.ts';
import type { EvbTimers } from '../../../src/protocol/evb/timers.ts';
import type { StationPortState } from '../../../src/protocol/station-port.ts';
import type { Outcome } from '../../../src/station/asking.ts';
import type { Wires } from './lldpad-harness.ts';

/** `hairpin station` at a port of the wires. */
export class OurStation {
  readonly #wires: Wires;
  readonly #port: 'p1' | 'p2';
  readonly #name: string;
  readonly #path: string;
  readonly #config: object;

  /** `more`: of its file. */
  constructor(wires: Wires, port: 'p1' | 'p2', name: string, manager: string, more: object) {
    this.#wires = wires;
    this.#port = port;
    this.#name = name;
    this.#path = join(wires.directory, `${name}.yaml`);
    this.#config = { name, uplink: 'eth0', manager, control: this.#control, ...more };
    this.configure({});
  }

  /** Its file, with `more` in it; read at its start, and at SIGHUP. */
  configure(more: object): void {
    writeFileSync(this.#path, JSON.stringify({ ...this.#config, ...more }));
  }

  /** One with its timers, and keys in NAME.key. */
  static signing(
    wires: Wires,
    port: 'p1' | 'p2',
    name: string,
    manager: string,
    evb: EvbTimers,
    ...keys: readonly string[]
  ): OurStation {
    const station = new OurStation(wires, port, name, manager, {
      key: join(wires.directory, `${name}.key`),
      evb,
    });
    station.setKeys(...keys);
    return station;
  }

  get #control(): string {
    return join(this.#wires.directory, `${this.#name}.sock`);
  }

  /** Whoever was started last goes by this name. */
  async start(): Promise<void> {
    await this.#wires.processes.start(this.#name, this.#wires.host(this.#port), [
      'station',
      '--config',
      this.#path,
    ]);
  }

  stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    return this.#wires.processes.stop(this.#name, signal);
  }

  /** Into its file; it reads them at its start, and at SIGHUP. */
  setKeys(...keys: readonly string[]): void {
    writeFileSync(join(this.#wires.directory, `${this.#name}.key`), keys.join('\n'), { mode: 0o600 });
  }

  get pid(): number {
    return this.#wires.processes.pid(this.#name)!;
  }

  announce(event: HypervisorEventKind, vm: string, macs: readonly MacAddress[]): Promise<Outcome> {
    return callLocal(this.#control, 'announce', { event, vm, macs }) as Promise<Outcome>;
  }

  state(): Promise<StationPortState> {
    return callLocal(this.#control, 'state') as Promise<StationPortState>;
  }

  log(): string {
    return readFileSync(join(this.#wires.directory, `${this.#name}.log`), 'utf8');
  }
}
