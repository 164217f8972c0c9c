import type { MacAddress } from '../domain/mac-address.ts';
import type { Timestamp } from '../domain/migration.ts';
import type { ProfileRef } from '../domain/profile-ref.ts';
import { nullVid } from '../domain/vid.ts';
import type { VsiId } from '../domain/vsi-id.ts';
import type { MigrationReport } from '../api/migration.ts';
import type { HypervisorEvent } from '../hypervisors/event.ts';
import { Driver, type Clock } from '../protocol/driver.ts';
import type { EvbParameters } from '../protocol/evb/parameters.ts';
import { StationPort, type StationPortOutput } from '../protocol/station-port.ts';
import { VmTable, type Wish } from './vm-table.ts';

/** One VSI as the station tells the bridge of it. */
export interface StationVsi {
  readonly vsiId: VsiId;
  /** at least one */
  readonly macs: readonly MacAddress[];
  readonly profile: ProfileRef;
}

export interface StationAgentParts {
  readonly name: string;
  readonly evb: EvbParameters;
  /** of ECP, by chance: the bridge must not take this agent's first ECPDU for its predecessor's last */
  readonly firstSequence: number;
  readonly uplink: {
    readonly name: string;
    readonly mac: MacAddress;
    readonly send: (frame: Uint8Array) => void;
  };
  readonly clock: Clock;
  readonly timestamp: () => Timestamp;
  /** the VSIs with these addresses; resolves to fewer where some are nobody's */
  readonly vsisOf: (macs: readonly MacAddress[]) => Promise<readonly StationVsi[]> | readonly StationVsi[];
  readonly report: (report: MigrationReport) => void;
  readonly log: (level: 'info' | 'warn', message: string) => void;
}

/** What became of a request to the bridge. */
export type Outcome =
  | { readonly granted: true }
  | { readonly granted: false; readonly vsiId: VsiId; readonly reason: string };

/**
 * The station agent without its shell: hypervisor events in, VDP and reports out. No sockets and no clock of its own,
 * so the simulated lab runs it as it is.
 */
export class StationAgent {
  readonly #parts: StationAgentParts;
  readonly #driver: Driver<StationPort, StationPortOutput>;
  readonly #vms = new VmTable();
  readonly #waiting = new Map<VsiId, ((outcome: Outcome) => void)[]>();

  constructor(parts: StationAgentParts) {
    this.#parts = parts;
    const machine = new StationPort({
      mac: parts.uplink.mac,
      systemName: parts.name,
      portId: parts.uplink.name,
      evb: parts.evb,
      firstSequence: parts.firstSequence,
    });
    this.#driver = new Driver(machine, parts.clock, (output) => this.#handle(output));
  }

  state(): ReturnType<StationPort['state']> {
    return this.#driver.machine.state();
  }

  receive(frame: Uint8Array): void {
    this.#driver.receive(frame);
  }

  linkChanged(runs: boolean): void {
    this.#parts.log('info', `uplink ${this.#parts.uplink.name} is ${runs ? 'up' : 'down'}`);
    this.#driver.do((machine, now) => (runs ? machine.linkUp(now) : machine.linkDown(now)));
  }

  /** Says goodbye (LLDP with TTL 0); the associations are left to the bridge's keep-alive supervision. */
  stop(): void {
    this.#driver.do((machine, now) => machine.shutdown(now));
    this.#driver.stop();
  }

  /** Takes an event; resolves when the bridge has answered for every NIC of the VM, or there was nothing to ask. */
  async happened(event: HypervisorEvent): Promise<Outcome> {
    const { vsisOf, log } = this.#parts;
    const { wish, moment } = this.#vms.happened(event.kind, event.vm);
    log('info', `VM ${event.vm} ${event.kind}`);
    if (!wish && !moment) return { granted: true };
    const found = vsisOf(event.macs);
    // without a turn of the event loop where the answer is known: this may run inside of the VM's stop
    const vsis = 'then' in found ? await found : found;
    if (moment) for (const vsi of vsis) this.#report(vsi, moment, event.at);
    for (const mac of event.macs)
      if (!vsis.some((vsi) => vsi.macs.includes(mac)))
        log('warn', `VM ${event.vm}: ${mac} belongs to no VSI`);
    if (!wish) return { granted: true };
    const outcomes = await Promise.all(vsis.map((vsi) => this.#ask(vsi, wish)));
    return outcomes.find(({ granted }) => !granted) ?? { granted: true };
  }

  #ask(vsi: StationVsi, wish: Exclude<Wish, null>): Promise<Outcome> {
    return new Promise((resolve) => {
      this.#waiting.set(vsi.vsiId, [...(this.#waiting.get(vsi.vsiId) ?? []), resolve]);
      const filter = {
        format: 'mac-vid',
        entries: vsi.macs.map((mac) => ({ mac, vid: nullVid })),
      } as const;
      this.#driver.do((machine, now) =>
        machine.request({ vsiId: vsi.vsiId, profile: vsi.profile, filter }, wish, now),
      );
    });
  }

  #handle(output: StationPortOutput): void {
    const { log, uplink } = this.#parts;
    switch (output.kind) {
      case 'send':
        uplink.send(output.frame);
        return;
      case 'granted':
        log('info', `VSI ${output.vsiId} is ${output.association}`);
        this.#settle(output.vsiId, { granted: true });
        return;
      case 'refused':
        this.#refused(output.vsiId, `the bridge refused: ${output.code}`);
        return;
      case 'timed out':
        this.#refused(output.vsiId, 'the bridge did not answer');
        return;
      case 'deassociated':
        if (output.by === 'self') this.#settle(output.vsiId, { granted: true });
        else this.#refused(output.vsiId, 'the bridge de-associated it');
        return;
      case 'evb':
        log('info', `reflective relay is ${output.reflectiveRelay ? 'on' : 'off'}`);
        return;
      case 'ignored':
        log('warn', `ignored: ${output.reason}: ${output.detail}`);
        return;
      case 'neighbour':
        return;
    }
  }

  #refused(vsiId: VsiId, reason: string): void {
    this.#parts.log('warn', `VSI ${vsiId}: ${reason}`);
    this.#settle(vsiId, { granted: false, vsiId, reason });
  }

  #settle(vsiId: VsiId, outcome: Outcome): void {
    const waiting = this.#waiting.get(vsiId) ?? [];
    this.#waiting.delete(vsiId);
    for (const resolve of waiting) resolve(outcome);
  }

  #report(vsi: StationVsi, moment: MigrationReport['moment'], at: Timestamp): void {
    this.#parts.report({ vsiId: vsi.vsiId, moment, at, by: this.#parts.name });
  }
}
