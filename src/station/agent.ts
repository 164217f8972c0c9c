import type { FilterInfo } from '../domain/filter-info.ts';
import type { MacAddress } from '../domain/mac-address.ts';
import type { MigrationReport, Timestamp } from '../domain/migration.ts';
import { nullVid } from '../domain/vid.ts';
import type { VsiId } from '../domain/vsi-id.ts';
import type { HypervisorEvent } from '../hypervisors/event.ts';
import { Driver } from '../protocol/driver.ts';
import { StationPort, type StationPortOutput } from '../protocol/station-port.ts';
import type { Hints } from '../protocol/vdp/association.ts';
import { Asking, type Mode, type Outcome } from './asking.ts';
import type { RunningVm, StationAgentParts, StationVsi, Taps } from './parts.ts';
import { VmTable, type GuestKey } from './vm-table.ts';

const noTaps: Taps = { ready: () => true, prepare() {}, keep() {}, undo() {} };

/** A VM that has, or is to have, its place here until it leaves. */
interface Guest {
  readonly vm: string;
  readonly macs: readonly MacAddress[];
  /** what was asked for it last */
  readonly vsis: readonly StationVsi[];
  readonly mode: Exclude<Mode, 'de-associate'>;
  readonly failures: number;
  readonly cancel: () => void;
}

/** A bridge that took a VM's port away may have seen it elsewhere: that is asked for again only much later. */
const retryMs = { first: 1000, taken: 10_000, most: 30_000 };
const granted: Outcome = { granted: true };

/**
 * The station agent without its shell: hypervisor events in, VDP and reports out. No sockets and no clock of its own,
 * so the simulated lab runs it as it is. What a VM that runs here was refused, or has lost, is asked for again.
 *
 * VDP's hints tell the bridge what it needs for the flip (802.1Q 41.2.3). S: the VM stands still for its switch-over; it
 * is said in a renewal the moment that the hypervisor says so, and taken back when the VM goes on here. M: the VM is on
 * its way here, and frames for it would wait in its interface's queue; a pre-association without it says that no
 * interface of the VM's is up yet.
 */
export class StationAgent {
  readonly #parts: StationAgentParts;
  readonly #driver: Driver<StationPort, StationPortOutput>;
  readonly #vms = new VmTable();
  readonly #guests = new Map<GuestKey, Guest>();
  readonly #taps: Taps;
  readonly #asking: Asking;
  #runs: boolean | null = null;

  constructor(parts: StationAgentParts) {
    this.#parts = parts;
    this.#taps = parts.taps ?? noTaps;
    this.#asking = new Asking(parts.clock, (vsi, mode) => this.#request(vsi, mode));
    const machine = new StationPort({
      mac: parts.uplink.mac,
      systemName: parts.name,
      portId: parts.uplink.name,
      evb: parts.evb,
      firstSequence: parts.firstSequence,
      ...(parts.signing && { signing: parts.signing }),
      ...(parts.managementAddresses && { managementAddresses: parts.managementAddresses }),
    });
    this.#driver = new Driver(machine, parts.clock, (output) => this.#handle(output));
  }

  state(): ReturnType<StationPort['state']> {
    return this.#driver.machine.state();
  }

  /** The VMs that run here, for the next agent to know. */
  running(): RunningVm[] {
    return [...this.#guests.values()].flatMap(({ vm, macs, vsis, mode }) =>
      mode === 'associate' ? [{ vm, macs, vsis }] : [],
    );
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

  /** There is another key in the file. */
  keysChanged(): void {
    this.#driver.do((machine, now) => machine.keysChanged(now));
  }

  /** Believes an unsigned bridge again. */
  unpin(): void {
    this.#parts.log('info', `uplink ${this.#parts.uplink.name}: unpin, by the administrator`);
    this.#driver.do((machine, now) => machine.unpin(now));
  }

  /** Says goodbye (LLDP with TTL 0); the associations are left to the bridge's keep-alive supervision. */
  stop(): void {
    for (const { cancel } of this.#guests.values()) cancel();
    this.#driver.do((machine, now) => machine.shutdown(now));
    this.#driver.stop();
  }

  /** Takes an event; resolves when the bridge has answered for every NIC of the VM, or there was nothing to ask. */
  async happened(event: HypervisorEvent): Promise<Outcome> {
    const { vm, macs, kind, at } = event;
    const { guest, wish, moment } = this.#vms.happened(event);
    if (guest === null) return { granted: false, reason: `VM ${vm} is unknown here`, unknown: true };
    // first of all, and without a turn of the event loop: this may run inside of the VM's stop
    if (wish !== 'de-associate') this.#sayIfStopped(guest);
    this.#parts.log('info', `VM ${vm} ${kind}`);
    if (moment && moment !== 'announce') this.#reportAll(guest, moment, at);
    if (wish === null) return granted;
    if (wish === 'de-associate') return this.#leave(guest, macs);
    const outcome = await this.#enter(guest, event, wish);
    if (wish === 'associate') {
      if (kind !== 'arrived') this.#taps.keep(macs);
    } else if (outcome.granted) this.#prepare(guest);
    else if (kind === 'incoming' && this.#guests.get(guest)?.mode === wish)
      this.#reportAll(guest, 'fail', this.#parts.timestamp(), outcome.reason);
    return outcome;
  }

  /** What has changed of S: whether those that have a VSI here all stand still for a switch-over. */
  #sayIfStopped(guest: GuestKey): void {
    this.#hint(guest, ({ vsiId }) => ({ suspended: this.#isSuspended(vsiId) }));
  }

  #hint(guest: GuestKey, hints: (vsi: StationVsi) => Partial<Hints>): void {
    const vsis = this.#guests.get(guest)?.vsis ?? [];
    if (vsis.length)
      this.#driver.do((machine, now) =>
        machine.hint(
          vsis.map((vsi) => [vsi.vsiId, hints(vsi)]),
          now,
        ),
      );
  }

  #isSuspended(vsiId: VsiId): boolean {
    const phases = this.#holders(vsiId).map((guest) => this.#vms.phase(guest));
    return phases.includes('leaving') && !phases.includes('here');
  }

  #holders(vsiId: VsiId): GuestKey[] {
    return [...this.#guests].flatMap(([guest, { vsis }]) =>
      vsis.some((vsi) => vsi.vsiId === vsiId) ? [guest] : [],
    );
  }

  /** The VM is armed: its interfaces take frames before it runs, and the bridge is told. */
  #prepare(guest: GuestKey): void {
    const { macs, mode } = this.#guests.get(guest) ?? {};
    if (!macs || mode !== 'pre-associate-rr') return;
    this.#taps.prepare(macs);
    this.#hint(guest, (vsi) => (this.#isHere(vsi) ? {} : { migrating: this.#taps.ready(vsi.macs) }));
  }

  /** An interface has come up, or has come at all: who waits for it is told. */
  tapsChanged(): void {
    for (const guest of this.#guests.keys()) if (this.#vms.phase(guest) === 'arriving') this.#prepare(guest);
  }

  /** Asks for a guest's VSIs, and lets go of those that it had before and has no more. */
  async #enter(
    guest: GuestKey,
    { vm, macs, kind, at }: HypervisorEvent,
    mode: Guest['mode'],
  ): Promise<Outcome> {
    const before = this.#guests.get(guest);
    const failures = before?.failures ?? 0;
    before?.cancel();
    const held = before?.vsis ?? [];
    this.#guests.set(guest, { vm, macs, vsis: held, mode, failures, cancel: () => {} });
    const found = this.#parts.vsisOf(macs);
    // without a turn of the event loop where the answer is known
    const vsis = 'then' in found ? await found : found;
    const now = this.#guests.get(guest);
    if (now?.macs !== macs || now.mode !== mode)
      return { granted: false, reason: `VM ${vm}: something else was asked meanwhile` };
    this.#guests.set(guest, { ...now, vsis });
    if (kind === 'incoming') for (const vsi of vsis) this.#report(vsi, 'announce', at);
    for (const vsi of held) if (!vsis.some(({ vsiId }) => vsiId === vsi.vsiId)) void this.#release(vsi);
    const isNew = (vsi: StationVsi) =>
      !held.some(({ vsiId, macs }) => vsiId === vsi.vsiId && macs.join() === vsi.macs.join());
    return this.#askAll(guest, kind === 'nics' ? vsis.filter(isNew) : vsis);
  }

  async #leave(guest: GuestKey, macs: readonly MacAddress[]): Promise<Outcome> {
    const known = this.#guests.get(guest);
    known?.cancel();
    this.#guests.delete(guest);
    this.#taps.undo(known?.macs ?? macs);
    if (known?.mode === 'associate') this.#parts.remember(this.running());
    const outcomes = await Promise.all((known?.vsis ?? []).map((vsi) => this.#release(vsi)));
    return outcomes.find((outcome) => !outcome.granted) ?? granted;
  }

  /** Unless another process has the VSI too, as when a VM is started anew beside its own end. */
  #release(vsi: StationVsi): Promise<Outcome> {
    return this.#holders(vsi.vsiId).length ? Promise.resolve(granted) : this.#asking.ask(vsi, 'de-associate');
  }

  /** Asks for VSIs of a guest in its mode. */
  async #askAll(guest: GuestKey, vsis: readonly StationVsi[]): Promise<Outcome> {
    const { mode, macs, vsis: all } = this.#guests.get(guest)!;
    if (mode === 'associate') this.#parts.remember(this.running());
    const outcomes = await Promise.all(
      vsis
        .filter((vsi) => mode === 'associate' || !this.#isHere(vsi))
        .map((vsi) => this.#asking.ask(vsi, mode)),
    );
    const stray = macs.find((mac) => !all.some((vsi) => vsi.macs.includes(mac)));
    if (stray) outcomes.push({ granted: false, reason: `${stray} belongs to no VSI that is known here` });
    const outcome = outcomes.find(({ granted }) => !granted) ?? granted;
    if (mode === 'associate') this.#settled(guest, outcome);
    return outcome;
  }

  /** Whether a process has the VSI associated: another one's wish to pre-associate it would take something away. */
  #isHere({ vsiId }: StationVsi): boolean {
    return this.#holders(vsiId).some((guest) => this.#guests.get(guest)?.mode === 'associate');
  }

  #settled(key: GuestKey, outcome: Outcome): void {
    const guest = this.#guests.get(key);
    if (guest?.mode !== 'associate') return;
    if (outcome.granted) this.#guests.set(key, { ...guest, failures: 0 });
    else this.#again(key, outcome.reason);
  }

  /** Asks again for a VM that runs here, later each time. What a VM loses that is leaving is nothing to ask for. */
  #again(key: GuestKey, reason: string, least = retryMs.first): void {
    const guest = this.#guests.get(key);
    if (guest?.mode !== 'associate' || this.#vms.phase(key) === 'leaving') return;
    const { log, clock, vsisOf } = this.#parts;
    const wait = Math.min(least * 2 ** guest.failures, retryMs.most);
    log('warn', `VM ${guest.vm}: ${reason}; asking again in ${wait / 1000} s`);
    guest.cancel();
    const cancel = clock.at(clock.now() + wait, () => {
      const ask = (vsis: readonly StationVsi[]) => {
        const now = this.#guests.get(key); // it may have left meanwhile, or have other NICs
        if (now?.macs !== guest.macs || now.mode !== guest.mode) return;
        this.#guests.set(key, { ...now, vsis });
        void this.#askAll(key, vsis);
      };
      const found = vsisOf(guest.macs);
      if ('then' in found) void found.then(ask);
      else ask(found);
    });
    this.#guests.set(key, { ...guest, failures: guest.failures + 1, cancel });
  }

  #request(vsi: StationVsi, mode: Mode): void {
    const filter: FilterInfo = {
      format: 'mac-vid',
      entries: vsi.macs.map((mac) => ({ mac, vid: nullVid })),
    };
    const hints: Hints = {
      migrating: mode !== 'de-associate' && this.#isComing(vsi) && this.#taps.ready(vsi.macs),
      suspended: this.#isSuspended(vsi.vsiId),
    };
    this.#driver.do((machine, now) =>
      machine.request({ vsiId: vsi.vsiId, profile: vsi.profile, filter, hints }, mode, now),
    );
  }

  #isComing({ vsiId }: StationVsi): boolean {
    return this.#holders(vsiId).some((guest) => {
      const phase = this.#vms.phase(guest);
      return phase === 'arriving' || phase === 'arrived';
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
        this.#asking.settle(output.vsiId, () => ({ granted: true }));
        return;
      case 'refused':
        this.#lost(
          output.vsiId,
          `the bridge refused: ${[output.code, output.reason ?? []].flat().join(': ')}`,
        );
        return;
      case 'timed out':
        this.#lost(output.vsiId, 'the bridge did not answer');
        return;
      case 'deassociated':
        if (output.by === 'self')
          this.#asking.settle(output.vsiId, (mode) =>
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
      case 'place':
        this.#parts.rememberBridge?.(this.#driver.machine.verified);
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
    if (this.#asking.isAwaited(vsiId)) {
      this.#asking.settle(vsiId, () => ({ granted: false, reason }));
      return;
    }
    for (const guest of this.#holders(vsiId)) this.#again(guest, reason, wait);
  }

  #reportAll(guest: GuestKey, moment: MigrationReport['moment'], at: Timestamp, reason?: string): void {
    for (const vsi of this.#guests.get(guest)?.vsis ?? []) this.#report(vsi, moment, at, reason);
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
