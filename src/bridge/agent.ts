import { isDeepStrictEqual } from 'node:util';
import type { FilterInfo } from '../domain/filter-info.ts';
import type { MacAddress } from '../domain/mac-address.ts';
import type { BridgePort as PortLocation, Timestamp } from '../domain/migration.ts';
import { policyOf, type PortProfile } from '../domain/port-profile.ts';
import { parseProfileKey, profileKey, type ProfileKey, type ProfileRef } from '../domain/profile-ref.ts';
import type { VsiId } from '../domain/vsi-id.ts';
import type { MigrationReport } from '../api/migration.ts';
import { BridgePort, type BridgePortOutput } from '../protocol/bridge-port.ts';
import { Driver, type Clock } from '../protocol/driver.ts';
import type { EvbOperation, EvbParameters } from '../protocol/evb/parameters.ts';
import type { VdpErrorCode } from '../protocol/vdp/association.ts';
import type { VdpLimits } from '../protocol/vdp/bridge.ts';
import {
  defaultAgeingTime,
  RelayError,
  type PortName,
  type Relay,
  type RelayEvent,
  type RelayPort,
} from '../relay/relay.ts';
import { admit, type Admission, type Application } from './admission.ts';
import type { Directory, Entitlement } from './directory.ts';
import { EntryBook } from './entry-book.ts';
import { filterOf, fromRelay } from './label.ts';
import { difference, tally, type Tally } from './tally.ts';
import {
  activate,
  detach,
  passages,
  reserve,
  type Passage,
  type Reservation,
  type VsiEntry,
} from './vsi-entry.ts';

/** A station port's link: its own address, and where frames go. */
export interface StationLink {
  readonly name: PortName;
  readonly mac: MacAddress;
  readonly runs: boolean;
  readonly send: (frame: Uint8Array) => void;
}

export interface BridgeAgentParts {
  readonly name: string;
  readonly evb: EvbParameters;
  readonly limits: VdpLimits;
  /** of ECP, by chance: a station must not take this agent's first ECPDU for its predecessor's last */
  readonly firstSequence: number;
  readonly links: readonly StationLink[];
  /** network and mirror ports, which have no protocol */
  readonly otherPorts: ReadonlyMap<PortName, RelayPort>;
  readonly relay: Relay;
  readonly directory: Directory;
  readonly clock: Clock;
  readonly timestamp: () => Timestamp;
  /** a moment of the data plane's clock (ns, CLOCK_MONOTONIC) as a time stamp */
  readonly stampOf: (monotonic: bigint) => Timestamp;
  readonly report: (report: MigrationReport) => void;
  /** a VSI's association changed, or a port's state did */
  readonly changed: (vsiId: VsiId | null) => void;
  readonly log: (level: 'info' | 'warn', message: string, facts?: object) => void;
}

type Request = Extract<BridgePortOutput, { kind: 'request' }>;

/** An announcement counts only when the VM has been silent at its old port for this long (ns). */
const silence = 5_000_000n;

/**
 * The bridge agent without its shell: VDP requests and announcements in, relay states and reports out. It has no
 * sockets and no clock of its own, so the simulated lab runs it as it is.
 */
export class BridgeAgent {
  readonly #parts: BridgeAgentParts;
  readonly #book = new EntryBook();
  readonly #ports = new Map<PortName, Driver<BridgePort, BridgePortOutput>>();
  /** reflective relay as it was negotiated last; `current` while the station is there that negotiated it */
  readonly #reflective = new Map<PortName, { readonly on: boolean; readonly current: boolean }>();
  /** what was counted when a migration of the VSI became known */
  readonly #tallies = new Map<VsiId, Tally>();
  #stopped = false;

  constructor(parts: BridgeAgentParts) {
    this.#parts = parts;
    for (const { name, mac, send } of parts.links) {
      const machine = new BridgePort({
        mac,
        systemName: parts.name,
        portId: name,
        evb: parts.evb,
        limits: parts.limits,
        firstSequence: parts.firstSequence,
        isVsiAddress: (mac) => this.#book.hasAddress(mac),
      });
      this.#ports.set(name, new Driver(machine, parts.clock, (output) => this.#handle(name, output, send)));
    }
  }

  get entries(): ReadonlyMap<VsiId, VsiEntry> {
    return this.#book.entries;
  }

  /** The protocol state of every station port. */
  portStates(): { name: PortName; state: ReturnType<BridgePort['state']> }[] {
    return [...this.#ports].map(([name, driver]) => ({ name, state: driver.machine.state() }));
  }

  /** Adopts what the data plane holds, and starts to speak on every port that runs. */
  start(): void {
    const { relay, links } = this.#parts;
    const held = relay.held();
    for (const [vsiId, vsi] of held.vsis) this.#adopt(fromRelay(vsiId, vsi));
    for (const [name, driver] of this.#ports) {
      const port = held.ports.get(name);
      const on = port?.kind === 'station' && port.reflectiveRelay;
      this.#reflective.set(name, { on, current: false });
      driver.do((machine, now) => {
        machine.adopt(this.#heldAt(name), now);
        return [];
      });
    }
    this.#apply();
    const { size } = this.entries;
    if (size) this.#parts.log('info', `adopted ${size} VSIs from the data plane`);
    relay.watch((event) => this.#announced(event));
    for (const { name, runs } of links) if (runs) this.linkChanged(name, true);
  }

  #adopt(entry: VsiEntry): void {
    let adopted: VsiEntry | null = entry;
    for (const port of entry.attachments.keys())
      if (adopted && !this.#ports.has(port)) {
        adopted = detach(adopted, port);
        this.#parts.log('warn', `VSI ${entry.vsiId} is let go of at ${port}: it is no station port any more`);
      }
    if (adopted) this.#book.put(entry.vsiId, adopted);
  }

  /** Says goodbye on every port (LLDP with TTL 0) and stops the machines; the data plane goes on, and is not touched again. */
  stop(): void {
    if (this.#stopped) return;
    this.#stopped = true;
    for (const driver of this.#ports.values()) {
      driver.do((machine, now) => machine.shutdown(now));
      driver.stop();
    }
  }

  receive(port: PortName, frame: Uint8Array): void {
    this.#ports.get(port)?.receive(frame);
  }

  linkChanged(port: PortName, runs: boolean): void {
    this.#parts.log('info', `link of ${port} is ${runs ? 'up' : 'down'}`);
    this.#ports.get(port)?.do((machine, now) => (runs ? machine.linkUp(now) : machine.linkDown(now)));
  }

  /** What the profile says now: VSIs that have it otherwise get the new policy, each by one atomic write. */
  profileChanged(profile: PortProfile): void {
    const key = profileKey(profile.ref);
    const policy = policyOf(profile);
    const changed = [...this.entries.values()].filter(
      (entry) => profileKey(entry.profile) === key && !isDeepStrictEqual(entry.policy, policy),
    );
    if (!changed.length) return;
    for (const entry of changed) this.#book.put(entry.vsiId, { ...entry, policy });
    try {
      this.#apply(new Set(changed.map(({ vsiId }) => vsiId)));
      this.#parts.log('info', `profile ${key} changed`);
    } catch (error) {
      for (const entry of changed) this.#book.put(entry.vsiId, entry);
      if (!(error instanceof RelayError)) throw error;
      this.#parts.log('warn', `profile ${key} changed, but the data plane refused: ${error.message}`);
    }
  }

  /** The administrator took away the profile or the VSI, or changed what it is granted: what is not granted any more ends. */
  withdrawn(what: { profile: ProfileKey } | { vsiId: VsiId }): void {
    for (const entry of this.entries.values())
      if ('vsiId' in what ? entry.vsiId === what.vsiId : profileKey(entry.profile) === what.profile)
        this.#reconsider(entry);
  }

  #reconsider(entry: VsiEntry): void {
    const { vsiId, profile } = entry;
    const entitlement = this.#parts.directory.known(vsiId, profile);
    for (const [port, attachment] of entry.attachments) {
      const application = {
        vsiId,
        profile,
        filter: filterOf(entry, attachment),
        station: this.stationAt(port),
      };
      const admission = entitlement && admit(application, entitlement.grant, entitlement.profile);
      if (admission?.admitted) continue;
      this.#parts.log('info', `VSI ${vsiId} at ${port}: ${admission?.reason ?? 'withdrawn'}`);
      this.#attempt(vsiId, null, (now) => now && detach(now, port));
    }
  }

  /** A migration that an announcement may complete was opened: what is counted from here on is its own. */
  migrationOpened(vsiId: VsiId): void {
    const entry = this.entries.get(vsiId);
    if (entry && !this.#tallies.has(vsiId)) this.#tallies.set(vsiId, this.#tally(entry));
  }

  #handle(port: PortName, output: BridgePortOutput, send: (frame: Uint8Array) => void): void {
    const { log, changed } = this.#parts;
    switch (output.kind) {
      case 'send':
        send(output.frame);
        return;
      case 'request':
        this.#requested(port, output);
        return;
      case 'renewed':
        return; // a late keep-alive of the source must not move anything
      case 'released':
        this.#attempt(output.vsiId, port, (entry) => entry && detach(entry, port));
        log('info', `VSI ${output.vsiId} released at ${port}: ${output.reason}`);
        return;
      case 'evb':
        this.#negotiated(port, output);
        return;
      case 'neighbour':
        changed(null);
        for (const { vsiId, attachments } of this.entries.values()) if (attachments.has(port)) changed(vsiId);
        return;
      case 'ignored':
        log('warn', `ignored on ${port}: ${output.reason}: ${output.detail}`);
        return;
      case 'late answer':
        return; // `awaits` was asked before anything was set up
    }
  }

  /**
   * What a station negotiates takes effect at once. A station that is gone (its agent restarts) leaves reflective relay as
   * it was for the VSIs it leaves behind: their frames go on.
   */
  #negotiated(port: PortName, { negotiated, reflectiveRelay }: EvbOperation): void {
    const on = negotiated ? reflectiveRelay : (this.#reflective.get(port)?.on ?? false);
    this.#reflective.set(port, { on, current: negotiated });
    this.#applyPorts();
    this.#parts.log(
      'info',
      negotiated ? `reflective relay on ${port} is ${on ? 'on' : 'off'}` : `no station on ${port}`,
    );
    this.#parts.changed(null);
  }

  #requested(port: PortName, request: Request): void {
    const { directory, timestamp } = this.#parts;
    const { vsiId, profile } = request;
    const at = timestamp();
    const known = directory.known(vsiId, profile);
    if (known) {
      this.#decide(port, request, at, known);
      return;
    }
    void directory.fetch(vsiId, profile).then(
      // what became known meanwhile is newer than the answer
      (fetched) => this.#decide(port, request, at, directory.known(vsiId, profile) ?? fetched),
      (error: Error) => this.#refuse(port, request, 'unable to contact VSI manager', error.message, true),
    );
  }

  #decide(port: PortName, request: Request, at: Timestamp, { grant, profile }: Entitlement): void {
    // the station may have given up, or asked for something else, while the manager was asked
    if (this.#stopped || !this.#ports.get(port)!.machine.awaits(request.token)) return;
    const application: Application = {
      vsiId: request.vsiId,
      profile: request.profile,
      filter: request.filter,
      station: this.stationAt(port),
    };
    const admission = admit(application, grant, profile);
    if (!admission.admitted) {
      this.#refuse(port, request, admission.code, admission.reason);
      return;
    }
    const { vsiId, mode } = request;
    const source = this.entries.get(vsiId)?.active;
    if (source && source !== port && mode !== 'associate')
      this.#report(vsiId, 'reserve', { source, destination: port }, { at });
    try {
      this.#commit(vsiId, port, (entry) => {
        if (mode === 'associate')
          return activate(newEntry(entry, vsiId, request.profile, admission), port, admission.wireVid);
        // prepare never harms the source: what it was granted stays until the cut-over
        const base =
          entry?.active && entry.active !== port ? entry : newEntry(entry, vsiId, request.profile, admission);
        return reserve(base, port, admission.wireVid, reservations[mode]);
      });
    } catch (error) {
      if (!(error instanceof RelayError)) throw error;
      this.#refuse(port, request, 'insufficient resources', error.message, true);
      return;
    }
    this.#ports
      .get(port)!
      .do((machine, now) => machine.answer(request.token, { kind: 'accept', filter: admission.filter }, now));
    this.#parts.log('info', `VSI ${request.vsiId} ${request.mode} at ${port}: granted`);
  }

  /** @param passing it may be granted when asked again: what the VSI holds here, it keeps */
  #refuse(port: PortName, request: Request, code: VdpErrorCode, reason: string, passing = false): void {
    if (this.#stopped || !this.#ports.get(port)!.machine.awaits(request.token)) return;
    this.#parts.log('warn', `VSI ${request.vsiId} ${request.mode} at ${port}: refused, ${code}: ${reason}`);
    const keep = passing && this.entries.get(request.vsiId)?.attachments.has(port) === true;
    // a station that is refused for good forgets the VSI, and a half-granted profile is no profile
    if (!keep) this.#attempt(request.vsiId, port, (entry) => entry && detach(entry, port));
    this.#ports
      .get(port)!
      .do((machine, now) => machine.answer(request.token, { kind: 'refuse', code, reason, keep }, now));
  }

  /** The classical way: the switch has seen the VM speak on another port, and fetches and sets its profile there now. */
  #announced(event: RelayEvent): void {
    const { directory, log } = this.#parts;
    for (const grant of directory.owners(event.mac)) {
      const source = this.entries.get(grant.vsiId)?.active ?? null;
      if (source === event.port || !directory.followsAnnouncements(grant.vsiId)) continue;
      if (source && this.#speaks(grant.vsiId, source, event.at)) {
        log('warn', `announcement of ${event.mac} on ${event.port} ignored: it still speaks on ${source}`);
        continue;
      }
      const profile = parseProfileKey(grant.profile);
      void directory.fetch(grant.vsiId, profile).then(
        (entitlement) => this.#follow(event, { vsiId: grant.vsiId, profile, source }, entitlement),
        (error: Error) => log('warn', `announcement of ${event.mac} on ${event.port}: ${error.message}`),
      );
    }
  }

  #speaks(vsiId: VsiId, port: PortName, at: bigint): boolean {
    const last = this.#parts.relay.counters().vsis.get(vsiId)?.get(port)?.lastFrame ?? 0n;
    return at - last < silence;
  }

  #follow(
    event: RelayEvent,
    { vsiId, profile: ref, source }: { vsiId: VsiId; profile: ProfileRef; source: PortName | null },
    { grant, profile }: Entitlement,
  ): void {
    const filter: FilterInfo = {
      format: 'mac-vid',
      entries: (grant?.macs ?? []).map((mac) => ({ mac, vid: event.wireVid })),
    };
    const admission = admit(
      { vsiId, profile: ref, filter, station: this.stationAt(event.port) },
      grant,
      profile,
    );
    if (!admission.admitted) {
      this.#parts.log('warn', `announcement of ${event.mac} on ${event.port}: ${admission.reason}`);
      return;
    }
    const known = this.#book.get(vsiId);
    // it was moved, or has spoken at the source again, meanwhile
    if (this.#stopped || (known?.active ?? null) !== source) return;
    if (source && this.#speaks(vsiId, source, event.at)) return;
    const arrived = activate(newEntry(known, vsiId, ref, admission), event.port, admission.wireVid);
    if (!this.#attempt(vsiId, event.port, () => (source ? detach(arrived, source) : arrived))) return;
    // from now on its station has to keep it alive, as if it had asked for it
    this.#ports.get(event.port)!.do((machine, now) => {
      machine.adopt(
        this.#heldAt(event.port).filter((held) => held.vsiId === vsiId),
        now,
      );
      return [];
    });
    // where the source had let go before, nothing else tells that this was a migration
    if (!source)
      for (const moment of ['active', 'release'] as const)
        this.#passed(vsiId, { moment, source, destination: event.port }, undefined);
  }

  /**
   * Changes one entry: in the data plane first, then here, then in the reports. The stations that lose their attachment
   * by it are told, but for the one at `by`, which knows. @throws RelayError, and nothing changed
   */
  #commit(vsiId: VsiId, by: PortName | null, change: (entry: VsiEntry | null) => VsiEntry | null): void {
    const before = this.#book.get(vsiId);
    const after = change(before);
    if (after === before) return;
    const found = passages(before, after);
    // a place that goes takes its counters with it
    const ends = found.some(({ moment }) => moment === 'release' || moment === 'abort');
    const last = before && ends ? this.#tally(before) : null;
    this.#book.put(vsiId, after);
    try {
      this.#apply(new Set([vsiId]));
    } catch (error) {
      this.#book.put(vsiId, before);
      throw error;
    }
    for (const passage of found) this.#passed(vsiId, passage, last ?? undefined);
    if (!after) this.#tallies.delete(vsiId);
    for (const port of before?.attachments.keys() ?? [])
      if (port !== by && !after?.attachments.has(port))
        this.#ports.get(port)?.do((machine, now) => machine.deassociate(vsiId, now));
    this.#parts.changed(vsiId);
  }

  /** A change that nobody waits for an answer to: what the data plane refuses is told, and stays as it was. */
  #attempt(vsiId: VsiId, by: PortName | null, change: (entry: VsiEntry | null) => VsiEntry | null): boolean {
    try {
      this.#commit(vsiId, by, change);
      return true;
    } catch (error) {
      if (!(error instanceof RelayError)) throw error;
      this.#parts.log('warn', `VSI ${vsiId}: the data plane refused: ${error.message}`);
      return false;
    }
  }

  #passed(vsiId: VsiId, passage: Passage, last: Tally | undefined): void {
    const { moment, source, destination } = passage;
    const entry = this.entries.get(vsiId);
    if (moment === 'ready') {
      if (entry) this.#tallies.set(vsiId, this.#tally(entry));
      this.#report(vsiId, 'ready', passage);
      return;
    }
    if (moment === 'active') {
      this.#report(vsiId, 'active', passage);
      return;
    }
    const before = this.#tallies.get(vsiId);
    const after = last ?? (entry && this.#tally(entry));
    const count = (port: PortName | null) =>
      port && after ? difference(before, after, port, this.#parts.stampOf) : null;
    this.#report(vsiId, moment, passage, {
      counts: { source: count(source), destination: count(destination) },
    });
    this.#tallies.delete(vsiId);
  }

  #report(
    vsiId: VsiId,
    moment: MigrationReport['moment'],
    { source, destination }: { source: PortName | null; destination: PortName },
    more: Partial<Pick<MigrationReport, 'counts' | 'at'>> = {},
  ): void {
    const { name, report, timestamp } = this.#parts;
    const at = (port: PortName): PortLocation => ({ bridge: name, port });
    report({
      vsiId,
      moment,
      at: timestamp(),
      by: name,
      ...(source ? { source: at(source) } : {}),
      destination: at(destination),
      ...more,
    });
  }

  /** Nobody waits for an answer to this either. */
  #applyPorts(): void {
    try {
      this.#apply(new Set());
    } catch (error) {
      if (!(error instanceof RelayError)) throw error;
      this.#parts.log('warn', `ports changed, but the data plane refused: ${error.message}`);
    }
  }

  /** `changed`: the VSIs that are not as they were applied last. */
  #apply(changed?: ReadonlySet<VsiId>): void {
    if (this.#stopped) return;
    const ports = new Map<PortName, RelayPort>(this.#parts.otherPorts);
    for (const name of this.#ports.keys()) {
      const { on, current } = this.#reflective.get(name) ?? { on: false, current: false };
      const isUsed = current || this.#book.isUsed(name);
      ports.set(name, { kind: 'station', reflectiveRelay: on && isUsed });
    }
    this.#parts.relay.apply(
      { ports, vsis: this.#book.relayed, tenants: new Map(), ageingTime: defaultAgeingTime },
      changed,
    );
  }

  #tally(entry: VsiEntry): Tally {
    return tally(this.#parts.relay.counters(), entry.vsiId, entry.addresses);
  }

  /** What VDP holds at a port, by the entries. */
  #heldAt(port: PortName) {
    return [...this.entries.values()].flatMap((entry) => {
      const attachment = entry.attachments.get(port);
      return attachment
        ? [
            {
              vsiId: entry.vsiId,
              profile: entry.profile,
              association: attachment.association,
              filter: filterOf(entry, attachment),
            },
          ]
        : [];
    });
  }

  /** The system name of the station at a port; null if there is none, or it does not say. */
  stationAt(port: PortName): string | null {
    return this.#ports.get(port)?.machine.neighbour?.systemName ?? null;
  }
}

const reservations = {
  'pre-associate': 'pre-associated',
  'pre-associate-rr': 'pre-associated with resource reservation',
} as const satisfies Record<Exclude<Request['mode'], 'associate'>, Reservation>;

/** An entry as it was admitted, attached as it was before. */
function newEntry(
  before: VsiEntry | null,
  vsiId: VsiId,
  profile: ProfileRef,
  admission: Extract<Admission, { admitted: true }>,
): VsiEntry {
  return {
    vsiId,
    profile,
    policy: policyOf(admission.profile),
    addresses: admission.addresses,
    ips: admission.ips,
    filterFormat: admission.filter.format,
    group: admission.group,
    pcp: admission.pcp,
    attachments: before?.attachments ?? new Map(),
    active: before?.active ?? null,
  };
}
