import type { FilterInfo } from '../domain/filter-info.ts';
import type { MacAddress } from '../domain/mac-address.ts';
import type { Timestamp } from '../domain/migration.ts';
import type { ProfileRef } from '../domain/profile-ref.ts';
import { nullVid } from '../domain/vid.ts';
import type { VsiId } from '../domain/vsi-id.ts';
import type { MigrationReport } from '../api/migration.ts';
import type { HypervisorEvent } from '../hypervisors/event.ts';
import { Driver, type Clock } from '../protocol/driver.ts';
import type { EvbParameters } from '../protocol/evb/parameters.ts';
import type { ManagementAddress } from '../protocol/lldp/packet.ts';
import { StationPort, type StationPortOutput } from '../protocol/station-port.ts';
import { VmTable, type Wish } from './vm-table.ts';

/** One VSI as the station tells the bridge of it. */
export interface StationVsi {
  readonly vsiId: VsiId;
  /** at least one */
  readonly macs: readonly MacAddress[];
  readonly profile: ProfileRef;
}

/** A VM that runs here, and what was last known to belong to it. */
export interface RunningVm {
  readonly vm: string;
  readonly macs: readonly MacAddress[];
  readonly vsis: readonly StationVsi[];
}

export interface StationAgentParts {
  readonly name: string;
  readonly evb: EvbParameters;
  /** of ECP, by chance: the bridge must not take this agent's first ECPDU for its predecessor's last */
  readonly firstSequence: number;
  /** as LLDP tells them; the default is the uplink's own address */
  readonly managementAddresses?: readonly ManagementAddress[];
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
  /** the VMs that run here have changed; the next agent wants to know them */
  readonly remember: (running: readonly RunningVm[]) => void;
  readonly log: (level: 'info' | 'warn', message: string) => void;
}

/** What became of a request to the bridge. */
export type Outcome = { readonly granted: true } | { readonly granted: false; readonly reason: string };

type Mode = Exclude<Wish, null>;

/** A VM that is to be associated here until it leaves. */
interface Wanted {
  readonly macs: readonly MacAddress[];
  /** what was asked for it last */
  readonly vsis: readonly StationVsi[];
  readonly failures: number;
  readonly cancel: () => void;
}

/** No answer of the bridge's takes longer: the response wait of EVB's default timers is 15.8 s. */
const answerLimitMs = 20_000;
/** A bridge that took a VM's port away may have seen it elsewhere: that is asked for again only much later. */
const retryMs = { first: 1000, taken: 10_000, most: 30_000 };

/**
 * The station agent without its shell: hypervisor events in, VDP and reports out. No sockets and no clock of its own,
 * so the simulated lab runs it as it is. What a VM that runs here was refused, or has lost, is asked for again.
 */
export class StationAgent {
  readonly #parts: StationAgentParts;
  readonly #driver: Driver<StationPort, StationPortOutput>;
  readonly #vms = new VmTable();
  #runs: boolean | null = null;
  readonly #wanted = new Map<string, Wanted>();
  readonly #waiting = new Map<
    VsiId,
    { readonly mode: Mode; readonly settle: (outcome: Outcome) => void }[]
  >();

  constructor(parts: StationAgentParts) {
    this.#parts = parts;
    const machine = new StationPort({
      mac: parts.uplink.mac,
      systemName: parts.name,
      portId: parts.uplink.name,
      evb: parts.evb,
      firstSequence: parts.firstSequence,
      ...(parts.managementAddresses && { managementAddresses: parts.managementAddresses }),
    });
    this.#driver = new Driver(machine, parts.clock, (output) => this.#handle(output));
  }

  state(): ReturnType<StationPort['state']> {
    return this.#driver.machine.state();
  }

  /** The VMs that run here, for the next agent to know. */
  running(): RunningVm[] {
    return [...this.#wanted].map(([vm, { macs, vsis }]) => ({ vm, macs, vsis }));
  }

  receive(frame: Uint8Array): void {
    this.#driver.receive(frame);
  }

  linkChanged(runs: boolean): void {
    if (runs === this.#runs) return;
    this.#runs = runs;
    this.#parts.log('info', `uplink ${this.#parts.uplink.name} is ${runs ? 'up' : 'down'}`);
    this.#driver.do((machine, now) => (runs ? machine.linkUp(now) : machine.linkDown(now)));
  }

  /** Says goodbye (LLDP with TTL 0); the associations are left to the bridge's keep-alive supervision. */
  stop(): void {
    for (const { cancel } of this.#wanted.values()) cancel();
    this.#driver.do((machine, now) => machine.shutdown(now));
    this.#driver.stop();
  }

  /** Takes an event; resolves when the bridge has answered for every NIC of the VM, or there was nothing to ask. */
  async happened(event: HypervisorEvent): Promise<Outcome> {
    const { vm, macs, kind, at } = event;
    const { wish, moment } = this.#vms.happened(kind, vm);
    this.#parts.log('info', `VM ${vm} ${kind}`);
    if (wish === 'de-associate') this.#forget(vm);
    if (!wish && !moment) return { granted: true };
    const found = this.#parts.vsisOf(macs);
    // without a turn of the event loop where the answer is known: this may run inside of the VM's stop
    const vsis = 'then' in found ? await found : found;
    if (moment) for (const vsi of vsis) this.#report(vsi, moment, at);
    if (!wish) return { granted: true };
    const outcome = await this.#askAll(vm, macs, vsis, wish);
    if (!outcome.granted && wish === 'pre-associate-rr')
      for (const vsi of vsis) this.#report(vsi, 'fail', this.#parts.timestamp(), outcome.reason);
    return outcome;
  }

  async #askAll(
    vm: string,
    macs: readonly MacAddress[],
    vsis: readonly StationVsi[],
    wish: Mode,
  ): Promise<Outcome> {
    const failures = this.#wanted.get(vm)?.failures ?? 0;
    if (wish === 'associate') this.#want(vm, { macs, vsis, failures, cancel: () => {} });
    const outcomes = await Promise.all(vsis.map((vsi) => this.#ask(vsi, wish)));
    const stray = macs.find((mac) => !vsis.some((vsi) => vsi.macs.includes(mac)));
    if (stray && wish !== 'de-associate')
      outcomes.push({ granted: false, reason: `${stray} belongs to no VSI that is known here` });
    const outcome = outcomes.find(({ granted }) => !granted) ?? { granted: true };
    if (wish === 'associate') this.#settled(vm, outcome);
    return outcome;
  }

  #want(vm: string, wanted: Wanted): void {
    this.#wanted.get(vm)?.cancel();
    this.#wanted.set(vm, wanted);
    this.#parts.remember(this.running());
  }

  #forget(vm: string): void {
    this.#wanted.get(vm)?.cancel();
    if (this.#wanted.delete(vm)) this.#parts.remember(this.running());
  }

  #settled(vm: string, outcome: Outcome): void {
    const wanted = this.#wanted.get(vm);
    if (!wanted) return;
    if (outcome.granted) this.#wanted.set(vm, { ...wanted, failures: 0 });
    else this.#again(vm, outcome.reason);
  }

  /** Asks again for a VM that is still wanted, later each time. */
  #again(vm: string, reason: string, least = retryMs.first): void {
    const wanted = this.#wanted.get(vm);
    if (!wanted) return;
    const { log, clock, vsisOf } = this.#parts;
    const wait = Math.min(least * 2 ** wanted.failures, retryMs.most);
    log('warn', `VM ${vm}: ${reason}; asking again in ${wait / 1000} s`);
    wanted.cancel();
    const cancel = clock.at(clock.now() + wait, () => {
      const ask = (vsis: readonly StationVsi[]) => void this.#askAll(vm, wanted.macs, vsis, 'associate');
      const found = vsisOf(wanted.macs);
      if (!('then' in found)) ask(found);
      // it may have left meanwhile
      else void found.then((vsis) => this.#wanted.has(vm) && ask(vsis));
    });
    this.#wanted.set(vm, { ...wanted, failures: wanted.failures + 1, cancel });
  }

  #ask(vsi: StationVsi, mode: Mode): Promise<Outcome> {
    return new Promise((resolve) => {
      const { clock } = this.#parts;
      const cancel = clock.at(clock.now() + answerLimitMs, () =>
        waiter.settle({ granted: false, reason: `VSI ${vsi.vsiId}: no bridge answers` }),
      );
      const waiter = {
        mode,
        settle: (outcome: Outcome) => {
          cancel();
          const others = (this.#waiting.get(vsi.vsiId) ?? []).filter((other) => other !== waiter);
          if (others.length) this.#waiting.set(vsi.vsiId, others);
          else this.#waiting.delete(vsi.vsiId);
          resolve(outcome);
        },
      };
      // the bridge answers what was asked last
      this.#settle(vsi.vsiId, (other) =>
        other === mode ? null : { granted: false, reason: `VSI ${vsi.vsiId}: ${mode} was asked instead` },
      );
      this.#waiting.set(vsi.vsiId, [...(this.#waiting.get(vsi.vsiId) ?? []), waiter]);
      const filter: FilterInfo = {
        format: 'mac-vid',
        entries: vsi.macs.map((mac) => ({ mac, vid: nullVid })),
      };
      this.#driver.do((machine, now) =>
        machine.request({ vsiId: vsi.vsiId, profile: vsi.profile, filter }, mode, now),
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
        this.#settle(output.vsiId, () => ({ granted: true }));
        return;
      case 'refused':
        this.#lost(output.vsiId, `the bridge refused: ${output.code}`);
        return;
      case 'timed out':
        this.#lost(output.vsiId, 'the bridge did not answer');
        return;
      case 'deassociated':
        if (output.by === 'self')
          this.#settle(output.vsiId, (mode) =>
            mode === 'de-associate' ? { granted: true } : { granted: false, reason: 'it was de-associated' },
          );
        else this.#lost(output.vsiId, 'the bridge de-associated it', retryMs.taken);
        return;
      case 'evb':
        log('info', `reflective relay is ${output.reflectiveRelay ? 'on' : 'off'}`);
        return;
      case 'ignored':
        log('warn', `ignored: ${output.reason}: ${output.detail}`);
        return;
      case 'neighbour':
      case 'other neighbour':
      case 'disabled':
        return;
    }
  }

  /** Whoever waits for the VSI is told; if nobody does, its VM has lost what it had, and it is asked for again. */
  #lost(vsiId: VsiId, why: string, wait = retryMs.first): void {
    const reason = `VSI ${vsiId}: ${why}`;
    if (this.#waiting.has(vsiId)) {
      this.#settle(vsiId, () => ({ granted: false, reason }));
      return;
    }
    for (const [vm, { vsis }] of this.#wanted)
      if (vsis.some((vsi) => vsi.vsiId === vsiId)) this.#again(vm, reason, wait);
  }

  /** Settles those who wait for a VSI with what `outcome` has for their request, if anything. */
  #settle(vsiId: VsiId, outcome: (mode: Mode) => Outcome | null): void {
    for (const { mode, settle } of this.#waiting.get(vsiId) ?? []) {
      const settled = outcome(mode);
      if (settled) settle(settled);
    }
  }

  #report(vsi: StationVsi, moment: MigrationReport['moment'], at: Timestamp, reason?: string): void {
    this.#parts.report({
      vsiId: vsi.vsiId,
      moment,
      at,
      by: this.#parts.name,
      ...(reason === undefined ? {} : { reason }),
    });
  }
}
