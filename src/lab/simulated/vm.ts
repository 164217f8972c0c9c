import { isGroup, macFromBytes } from '../../domain/mac-address.ts';
import type { Timestamp } from '../../domain/migration.ts';
import { LabError } from '../lab.ts';
import { move } from '../move.ts';
import type { HostName, LabVmPlan } from '../scenario.ts';
import { decodeProbe, encodeBeacon, vmPort } from '../stream/datagram.ts';
import { VmCounters } from '../stream/vm-counters.ts';
import type { LabVm, MigrationHooks, Stop } from '../vm.ts';
import { gratuitousArp, udpFrame, udpPayload, type Endpoint } from './frames.ts';

/** A VM that is an object: it answers the streams, announces itself when its NIC comes up, and can be halted. */
export class SimulatedVm implements LabVm {
  readonly plan: LabVmPlan;
  readonly ended = null;
  readonly watched = false;
  readonly #send: (host: HostName, frame: Uint8Array) => void;
  readonly #peer: Endpoint;
  readonly #now: () => Timestamp;
  readonly #counters = new VmCounters();
  /** where its NIC is up */
  #connected: HostName | null = null;
  #host: HostName | null = null;
  #halted = false;
  #probed = false;

  constructor(
    plan: LabVmPlan,
    peer: Endpoint,
    send: (host: HostName, frame: Uint8Array) => void,
    now: () => Timestamp,
  ) {
    this.plan = plan;
    this.#peer = peer;
    this.#send = send;
    this.#now = now;
  }

  get host(): HostName | null {
    return this.#host;
  }

  start(): Promise<void> {
    this.#host = this.plan.host;
    this.#connect(this.plan.host);
    return Promise.resolve();
  }

  stop(): Promise<void> {
    this.#host = this.#connected = null;
    return Promise.resolve();
  }

  /** Nobody watches it: there is nothing to see. */
  reveal(): void {}

  async migrate(to: HostName, hooks: MigrationHooks): Promise<Stop> {
    const from = this.#host;
    if (!from || from === to)
      throw new LabError(`VM ${this.plan.name} cannot move from ${from ?? 'nowhere'} to ${to}`);
    const stop = await move(
      {
        plug: () => Promise.resolve(),
        unplug: () => Promise.resolve(),
        halt: () => (this.#halted = true),
        disconnect: () => (this.#connected = null),
        connect: (host) => this.#connect(host),
        proceed: () => (this.#halted = false),
      },
      from,
      to,
      hooks,
      this.#now,
    );
    this.#host = to;
    return stop;
  }

  /** A frame that the VEPA at `host` hands to this VM's NIC. */
  receive(host: HostName, frame: Uint8Array): void {
    const destination = macFromBytes(frame);
    if (this.#connected !== host || this.#halted) return;
    if (destination !== this.plan.mac && !isGroup(destination)) return;
    const probe = decodeProbe(udpPayload(frame) ?? new Uint8Array());
    if (probe && this.#counters.receive(probe)) this.#probed = true;
  }

  /** Its next beacon is due. */
  beat(): void {
    if (!this.#connected || this.#halted || !this.#probed) return;
    this.#send(
      this.#connected,
      udpFrame(this.plan, this.#peer, vmPort, encodeBeacon(this.#counters.beacon())),
    );
  }

  #connect(host: HostName): void {
    this.#connected = host;
    this.#send(host, gratuitousArp(this.plan));
  }
}
