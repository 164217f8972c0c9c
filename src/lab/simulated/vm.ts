import { isGroup, macFromBytes } from '../../domain/mac-address.ts';
import type { Timestamp } from '../../domain/migration.ts';
import { LabError } from '../lab-error.ts';
import { move } from '../move.ts';
import type { HostName, LabVmPlan } from '../scenario.ts';
import { decodeProbe, decodeQuery, encodeAnswer, encodeBeacon, vmPort } from '../stream/datagram.ts';
import { gratuitousArp, udpFrame, udpPayload, type Endpoint } from '../stream/frames.ts';
import { VmCounters } from '../stream/vm-counters.ts';
import type { LabVm, Manner, MigrationHooks, Stop } from '../vm.ts';

/** frames that a NIC keeps for a VM that stands still: a macvtap's queue */
const queueLength = 500;

/** A VM that is an object: it answers the streams, announces itself when it has moved, and can be halted. */
export class SimulatedVm implements LabVm {
  readonly plan: LabVmPlan;
  readonly ended = null;
  readonly watched = false;
  readonly #send: (host: HostName, frame: Uint8Array) => void;
  readonly #peer: Endpoint;
  readonly #now: () => Timestamp;
  readonly #counters = new VmCounters();
  /** NICs that take frames, each with what waits in it */
  readonly #nics = new Map<HostName, Uint8Array[]>();
  /** where its frames leave */
  #connected: HostName | null = null;
  #host: HostName | null = null;
  #halted = false;

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
    this.announceItself();
    return Promise.resolve();
  }

  stop(): Promise<void> {
    this.#host = this.#connected = null;
    this.#nics.clear();
    return Promise.resolve();
  }

  /** Nobody watches it: there is nothing to see. */
  reveal(): void {}

  announceItself(): void {
    if (this.#connected) this.#send(this.#connected, gratuitousArp(this.plan));
  }

  async migrate(to: HostName, hooks: MigrationHooks, manner: Manner): Promise<Stop> {
    const from = this.#host;
    if (!from || from === to)
      throw new LabError(`VM ${this.plan.name} cannot move from ${from ?? 'nowhere'} to ${to}`);
    const stop = await move(
      {
        plug: () => Promise.resolve(),
        unplug: (host) => {
          this.#nics.delete(host);
          return Promise.resolve();
        },
        open: (host) => this.#nics.set(host, []),
        halt: () => (this.#halted = true),
        disconnect: (host) => {
          this.#nics.delete(host);
          this.#connected = null;
        },
        connect: (host) => this.#connect(host),
        proceed: () => this.#proceed(),
        announceItself: () => this.announceItself(),
      },
      [from, to],
      hooks,
      manner,
      this.#now,
    );
    this.#host = to;
    return stop;
  }

  /** A frame that the VEPA at `host` hands to this VM's NIC. */
  receive(host: HostName, frame: Uint8Array): void {
    const destination = macFromBytes(frame);
    const queue = this.#nics.get(host);
    if (!queue || (destination !== this.plan.mac && !isGroup(destination))) return;
    if (!this.#halted && this.#connected === host) this.#read(frame);
    else if (queue.length < queueLength) queue.push(frame.slice());
  }

  /** Its next beacon is due. */
  beat(): void {
    if (!this.#halted && !this.#counters.quiet) this.#tell(encodeBeacon(this.#counters.beacon()));
  }

  #read(frame: Uint8Array): void {
    const payload = udpPayload(frame) ?? new Uint8Array();
    const probe = decodeProbe(payload);
    if (probe) this.#counters.receive(probe);
    const query = decodeQuery(payload);
    const answer = query && this.#counters.answer(query);
    if (answer) this.#tell(encodeAnswer(answer));
  }

  #tell(payload: Uint8Array): void {
    if (this.#connected) this.#send(this.#connected, udpFrame(this.plan, this.#peer, vmPort, payload));
  }

  #connect(host: HostName): void {
    this.#connected = host;
    if (!this.#nics.has(host)) this.#nics.set(host, []);
  }

  #proceed(): void {
    this.#halted = false;
    for (const frame of this.#nics.get(this.#connected!)?.splice(0) ?? []) this.#read(frame);
  }
}
