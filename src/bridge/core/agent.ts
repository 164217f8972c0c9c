import { isDeepStrictEqual } from 'node:util';
import type { FilterInfo } from '../../domain/filter-info.ts';
import { parseMac, type MacAddress } from '../../domain/mac-address.ts';
import type { BridgePort as PortLocation, PortCount, Timestamp } from '../../domain/migration.ts';
import { policyOf, type PortProfile, type TenantLimits } from '../../domain/port-profile.ts';
import { parseProfileKey, profileKey, type ProfileKey, type ProfileRef } from '../../domain/profile-ref.ts';
import { nullVid, type NullVid, type Vid } from '../../domain/vid.ts';
import type { VsiId } from '../../domain/vsi-id.ts';
import type { MigrationReport } from '../../api/migration.ts';
import { defaultPlaceHold } from '../../protocol/gate.ts';
import { BridgePort, type BridgePortOutput } from '../../protocol/bridge-port.ts';
import type { SecondStationPolicy } from '../../protocol/neighbourhood.ts';
import { Driver } from '../../protocol/driver.ts';
import type { Clock } from '../../base/clock.ts';
import type { EvbOperation, EvbParameters } from '../../protocol/evb/parameters.ts';
import type { Neighbour } from '../../protocol/lldp/neighbour.ts';
import type { ManagementAddress } from '../../protocol/lldp/packet.ts';
import type { VdpErrorCode } from '../../protocol/vdp/association.ts';
import { sameProfile } from '../../protocol/vdp/filter.ts';
import type { BridgeVsi } from '../../protocol/vdp/bridge-vsi.ts';
import type { VdpLimits } from '../../protocol/vdp/limits.ts';
import { defaultHold, type Hold } from '../../protocol/vdp/hold.ts';
import { objection } from '../../relay/contract/capabilities.ts';
import {
  RelayError,
  type PortEgress,
  type PortName,
  type Relay,
  type RelayEvent,
  type RelayPort,
  type RelayState,
} from '../../relay/contract/relay.ts';
import { admit, feasible, harmless, policyFor, type Admission, type Application } from './admission.ts';
import { Announcements, type Heed } from './announcements.ts';
import type { Directory, Entitlement } from './directory.ts';
import { Enquiries, TooManyEnquiries, type Enquiry } from './enquiries.ts';
import { EntryBook } from './entry-book.ts';
import { Flips } from './flips.ts';
import { hostVsi, hostVsiId, isHostVsi, type Host } from './host-vsi.ts';
import { atPlace, filterOf, fromRelay } from './label.ts';
import { MirrorWarnings, unmirrored } from './mirror-sessions.ts';
import { activeNetworkPorts, takenOver, vlansOf } from './network-ports.ts';
import { rarp } from './network-frames.ts';
import { NetworkNews } from './network-news.ts';
import { Owed } from './owed.ts';
import type { PortLink } from './port-link.ts';
import { passages, type Passage } from './passages.ts';
import { RequestLog } from './request-log.ts';
import { lastFrame, whenSilent } from './silence.ts';
import type { Signing } from './signing.ts';
import { Stations } from './stations.ts';
import { difference, portCount, tally, type Tally } from './tally.ts';
import { Tenants, type Change } from './tenants.ts';
import {
  activate,
  detach,
  flip,
  isConfirmedBy,
  isReleased,
  places,
  renew,
  reserve,
  type Attachment,
  type Reservation,
  type VsiEntry,
} from './vsi-entry.ts';

/** A station port's link: its own address, and where frames go. */
export interface StationLink {
  readonly name: PortName;
  /** undefined: it has no interface yet */
  readonly mac: MacAddress | undefined;
  /** how frames leave by it */
  readonly egress: PortEgress;
  /** the default is "ignore" */
  readonly secondStation?: SecondStationPolicy;
  readonly send: (frame: Uint8Array) => void;
  /** the host's own traffic */
  readonly host?: Host | undefined;
  /** hands over to the agent what waits to be read; absent: nothing ever does */
  readonly drain?: () => void;
  /** of VSIs whose keep-alives are lost; absent: `defaultHold` */
  readonly hold?: Hold;
  /** absent: by what the station there is (see Announcements) */
  readonly announcements?: Heed | undefined;
  /** how long the port waits for a station that is not heard, in ms */
  readonly placeHold?: number;
}

/** The ports, as the administrator has them. */
export interface PortSettings {
  readonly links: readonly StationLink[];
  /** network and mirror ports, which have no protocol */
  readonly otherPorts: ReadonlyMap<PortName, RelayPort>;
  /** of learned addresses, in s */
  readonly ageingTime: number;
}

/** With the ports to begin with. */
export interface BridgeAgentParts extends PortSettings {
  readonly name: string;
  readonly evb: EvbParameters;
  readonly limits: VdpLimits;
  /** how many are remembered at a port who speak LLDP without being its station; the default is 8 */
  readonly otherNeighbours?: number;
  /** as LLDP tells them; the default is each port's own address */
  readonly managementAddresses?: readonly ManagementAddress[];
  /** of ECP, by chance: a station must not take this agent's first ECPDU for its predecessor's last */
  readonly firstSequence: number;
  /** how any port's link is when the agent starts */
  readonly linkOf: (port: PortName) => PortLink;
  readonly relay: Relay;
  readonly directory: Directory;
  /** frames in a second that tell the network of moves; the default is 500 */
  readonly announcementsPerSecond?: number;
  /** who was met before; absent: nobody */
  readonly stations?: Stations;
  /** absent: no control frame is signed or verified */
  readonly signing?: Signing;
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

/** What was counted of a migration, by port. */
interface Counts {
  at(port: PortName): PortCount;
}

/**
 * The bridge agent without its shell: VDP requests and announcements in, relay states and reports out. It has no
 * sockets and no clock of its own, so the simulated lab runs it as it is.
 */
export class BridgeAgent {
  readonly #parts: BridgeAgentParts;
  #settings: PortSettings;
  /** the station ports of the settings */
  readonly #stationLinks = new Map<PortName, StationLink>();
  readonly #heeds = new Map<PortName, Heed>();
  readonly #book = new EntryBook();
  readonly #ports = new Map<PortName, Driver<BridgePort, BridgePortOutput>>();
  readonly #mirrorWarnings: MirrorWarnings;
  #hosts: ReadonlyMap<VsiId, { readonly port: PortName; readonly host: Host }> = new Map();
  /** network and mirror ports */
  #otherPorts = new Map<PortName, RelayPort>();
  #networkPorts: RelayState['networkPorts'] = new Map();
  /** of all ports; a station port's also where the machine does not use it */
  readonly #links = new Map<PortName, PortLink>();
  /** reflective relay as it was negotiated last; `current` while the station is there that negotiated it */
  readonly #reflective = new Map<PortName, { readonly on: boolean; readonly current: boolean }>();
  readonly #announcements: Announcements;
  readonly #news: NetworkNews;
  readonly #flips: Flips;
  readonly #owed: Owed;
  readonly #requestLog: RequestLog;
  readonly #stations: Stations;
  /** the ports' own addresses */
  readonly #macs = new Map<PortName, MacAddress>();
  /** what stations have asked for and the manager is asked about */
  readonly #requests: Enquiries;
  /** the same for VMs that have announced themselves */
  readonly #arrivals: Enquiries;
  readonly #tenants = new Tenants();
  /** changes that the data plane cannot do, by what was changed; what was before is still in force */
  readonly #refused = new Map<string, string>();
  #stopped = false;

  constructor(parts: BridgeAgentParts) {
    this.#parts = parts;
    this.#requestLog = new RequestLog(parts.log);
    this.#stations = parts.stations ?? new Stations();
    this.#mirrorWarnings = new MirrorWarnings((message) => parts.log('warn', message));
    this.#requests = new Enquiries(parts.directory, parts.limits.vsis);
    this.#arrivals = new Enquiries(parts.directory, parts.limits.vsis);
    this.#news = new NetworkNews(parts, this.#book.entries);
    this.#flips = new Flips({
      ...parts,
      entry: (vsiId) => this.#book.get(vsiId),
      isSigned: (port) => this.#isSigned(port),
      change: (vsiId, change) => this.#turn(vsiId, change),
    });
    this.#owed = new Owed(parts.clock, () => this.#apply(), parts.log);
    this.#announcements = new Announcements(this.#heeds);
    this.#settings = parts;
    this.#use(parts);
    for (const link of parts.links) this.#open(link);
  }

  #use(settings: PortSettings): void {
    this.#settings = settings;
    this.#otherPorts = new Map(settings.otherPorts);
    this.#stationLinks.clear();
    this.#heeds.clear();
    for (const link of settings.links) {
      this.#stationLinks.set(link.name, link);
      if (link.announcements) this.#heeds.set(link.name, link.announcements);
    }
    const hosts = new Map(
      settings.links.flatMap(({ name: port, host }) => (host ? [[hostVsiId(host), { port, host }]] : [])),
    );
    for (const vsiId of this.#hosts.keys()) if (!hosts.has(vsiId)) this.#book.declare(vsiId, null);
    for (const [vsiId, { port, host }] of hosts) this.#book.declare(vsiId, hostVsi(host, port));
    this.#hosts = hosts;
  }

  #open({ name, mac, send, drain }: StationLink): void {
    const { otherNeighbours, managementAddresses, clock, ...parts } = this.#parts;
    const [macs, links] = [this.#macs, this.#stationLinks];
    if (mac !== undefined) macs.set(name, mac);
    const { place = null, verified = [] } = this.#stations.at(name) ?? {};
    const machine = new BridgePort({
      ...(place && { station: place }),
      ...(parts.signing && { signing: { ...parts.signing, verified } }),
      get placeHold() {
        return links.get(name)?.placeHold ?? defaultPlaceHold;
      },
      get mac() {
        return macs.get(name) ?? noAddress;
      },
      get secondStation() {
        return links.get(name)?.secondStation ?? 'ignore';
      },
      get vsiHold() {
        return links.get(name)?.hold ?? defaultHold;
      },
      isElsewhere: (vsiId) => this.#isElsewhere(vsiId, name),
      isActive: (vsiId) => this.#book.get(vsiId)?.active === name,
      ...(otherNeighbours !== undefined && { otherNeighbours }),
      ...(managementAddresses && { managementAddresses }),
      systemName: parts.name,
      portId: name,
      evb: parts.evb,
      limits: parts.limits,
      firstSequence: parts.firstSequence,
      isVsiAddress: (mac) => this.#book.hasAddress(mac),
    });
    const handle = (output: BridgePortOutput) => this.#handle(name, output, send);
    this.#ports.set(name, new Driver(machine, clock, handle, drain));
  }

  /**
   * Other ports, or the same ones otherwise: what is as it was is not touched. A new port's link is told by `linkChanged`,
   * like any other's. VSIs at a station port that goes are let go of. @throws RelayError, and nothing was changed
   */
  configure(wanted: PortSettings): void {
    const kept = this.#settings;
    const stay = new Set(wanted.links.map(({ name }) => name));
    const leaving = kept.links
      .filter(({ name }) => !stay.has(name))
      .map((link) => ({ ...link, host: undefined }));
    const others = new Map(wanted.otherPorts);
    for (const { name } of leaving) others.delete(name); // not before its VSIs are let go of
    const before = { others: this.#otherPorts, networkPorts: this.#networkPorts };
    this.#use({ ...wanted, links: [...wanted.links, ...leaving], otherPorts: others });
    this.#networkPorts = this.#choice();
    const refusal = this.#tryToApply();
    if (refusal !== null) {
      this.#use({ ...kept, otherPorts: before.others });
      this.#networkPorts = before.networkPorts;
      throw new RelayError(refusal);
    }
    for (const { name } of leaving) this.#close(name);
    this.#use(wanted);
    this.#networkPorts = this.#choice();
    for (const link of wanted.links) if (!this.#ports.has(link.name)) this.#opened(link);
    for (const name of this.#links.keys()) if (!this.portKinds.has(name)) this.#links.delete(name);
    this.#owed.make('ports of the configuration');
    this.#tellTakeOver(before.networkPorts);
    this.#parts.changed(null);
  }

  #opened(link: StationLink): void {
    this.#open(link);
    this.#links.delete(link.name); // it may have been a port of another kind
  }

  #close(port: PortName): void {
    for (const { vsiId } of this.#book.at(port)) this.#letGo(vsiId, port, 'the port is taken away');
    const driver = this.#ports.get(port)!;
    driver.do((machine, now) => machine.shutdown(now));
    driver.stop();
    this.#ports.delete(port);
    this.#links.delete(port);
    this.#reflective.delete(port);
    this.#macs.delete(port);
  }

  get entries(): ReadonlyMap<VsiId, VsiEntry> {
    return this.#book.entries;
  }

  /** Every port, by what it is. The data plane would tell it as well, after reading back all its VSIs. */
  get portKinds(): ReadonlyMap<PortName, RelayPort['kind']> {
    const { links } = this.#settings;
    return new Map([
      ...Array.from(this.#otherPorts, ([name, { kind }]) => [name, kind] as const),
      ...links.map(({ name }) => [name, 'station'] as const),
    ]);
  }

  /** The hosts' own traffic that is declared, by its VSIID. */
  get hosts(): ReadonlyMap<VsiId, { readonly port: PortName; readonly host: Host }> {
    return this.#hosts;
  }

  /** The active network port of each VLAN. */
  get networkPorts(): ReadonlyMap<Vid, PortName> {
    return this.#networkPorts;
  }

  /** The VLANs that a network port carries. */
  vlansOf(port: PortName): readonly Vid[] {
    const other = this.#otherPorts.get(port);
    return other ? vlansOf(other) : [];
  }

  /** How each port's link is. */
  get links(): ReadonlyMap<PortName, PortLink> {
    return this.#links;
  }

  /** The limits that are in force. */
  get tenants(): ReadonlyMap<string, TenantLimits> {
    return this.#tenants.inForce;
  }

  /**
   * What the database has otherwise than it is in force, with the reason: the data plane cannot do it, no port carries it,
   * or it is withheld.
   */
  get refused(): ReadonlyMap<string, string> {
    const withheld = this.#parts.directory.withheld?.() ?? new Map<string, string>();
    const mirrors = unmirrored(this.entries.values(), this.#otherPorts);
    return new Map([...this.#refused, ...mirrors, ...withheld]);
  }

  /** Whether the VSI is attached at a port. */
  runs(vsiId: VsiId): boolean {
    return this.entries.has(vsiId);
  }

  /** What the data plane has refused to do so far; null: it is as it should be. */
  get owed(): string | null {
    return this.#owed.reason;
  }

  /** The protocol state of every station port. */
  portStates(): { name: PortName; state: ReturnType<BridgePort['state']> }[] {
    return [...this.#ports].map(([name, driver]) => ({ name, state: driver.machine.state() }));
  }

  /** Adopts what the data plane holds, and starts to speak on every port that runs. */
  start(): void {
    const { relay, linkOf } = this.#parts;
    const held = relay.held();
    this.#tenants.inForce = held.tenants;
    for (const [vsiId, vsi] of held.vsis) if (!isHostVsi(vsi)) this.#adopt(fromRelay(vsiId, vsi));
    for (const [name, driver] of this.#ports) {
      const port = held.ports.get(name);
      const on = port?.kind === 'station' && port.reflectiveRelay;
      this.#reflective.set(name, { on, current: false });
      driver.do((machine, now) => {
        machine.adopt(this.#heldAt(name), now);
        return [];
      });
    }
    const before = held.networkPorts;
    this.#networkPorts = activeNetworkPorts(this.#otherPorts, (name) => linkOf(name) === 'up', before);
    this.#apply();
    this.#tellTakeOver(before);
    const { size } = this.entries;
    if (size) this.#parts.log('info', `adopted ${size} VSIs from the data plane`);
    relay.watch((event) => this.#announced(event));
    for (const name of this.portKinds.keys()) {
      const link = linkOf(name);
      const driver = this.#ports.get(name);
      if (link !== 'up') driver?.do((machine, now) => machine.linkDown(now));
      this.linkChanged(name, link);
    }
  }

  #isHostAddress(mac: MacAddress): boolean {
    return [...this.#hosts.values()].some(({ host }) => host.macs.includes(mac));
  }

  #adopt(entry: VsiEntry): void {
    const hostAddress = entry.addresses.find((mac) => this.#isHostAddress(mac));
    if (hostAddress !== undefined) {
      this.#parts.log('warn', `VSI ${entry.vsiId} is let go of: ${hostAddress} is a host's own address now`);
      return;
    }
    let adopted: VsiEntry | null = entry;
    for (const port of entry.attachments.keys())
      if (adopted && !this.#ports.has(port)) {
        adopted = detach(adopted, port);
        this.#parts.log('warn', `VSI ${entry.vsiId} is let go of at ${port}: it is no station port any more`);
      }
    if (!adopted) return;
    this.#book.put(entry.vsiId, adopted);
    this.#flips.changed(entry.vsiId, null, adopted);
  }

  /** Says goodbye on every port (LLDP with TTL 0) and stops the machines; the data plane goes on, and is not touched again. */
  stop(): void {
    if (this.#stopped) return;
    this.#stopped = true;
    this.#owed.stop();
    this.#news.stop();
    this.#flips.stop();
    for (const driver of this.#ports.values()) {
      driver.do((machine, now) => machine.shutdown(now));
      driver.stop();
    }
  }

  /** How many flips were made before their stations had said that the VMs run there, and what became of them. */
  get flips(): Flips['counters'] & { readonly provisional: number } {
    const provisional = [...this.entries.values()].filter(({ flip }) => flip !== null).length;
    return { ...this.#flips.counters, provisional };
  }

  /** What the network was told, and what waits to be. */
  get announced(): NetworkNews['counters'] {
    return this.#news.counters;
  }

  receive(port: PortName, frame: Uint8Array): void {
    this.#ports.get(port)?.receive(frame);
  }

  /** The port's interface has another address: it was made anew, or given one. */
  addressChanged(port: PortName, mac: MacAddress): void {
    const before = this.#macs.get(port);
    if (before === mac) return;
    const other = this.#otherPorts.get(port);
    if (other?.kind === 'network' && other.host && other.host.address !== mac) {
      this.#otherPorts.set(port, { ...other, host: { ...other.host, address: mac } });
      this.#owed.make(`address of ${port}`);
    }
    if (!this.#ports.has(port)) return;
    this.#macs.set(port, mac);
    if (before !== undefined) this.#parts.log('info', `${port} has the address ${mac} now`);
  }

  /** There are other keys: LLDP says whether there are any. */
  keysChanged(): void {
    for (const driver of this.#ports.values()) driver.do((machine, now) => machine.keysChanged(now));
  }

  /** Believes what is unsigned again at a port where something was signed. False: it has no station port of that name. */
  unpin(port: PortName): boolean {
    return this.#order(port, 'unpin');
  }

  /** Lets the next station have the port at once, with the VSIs that are held there. False as for `unpin`. */
  forget(port: PortName): boolean {
    return this.#order(port, 'forget');
  }

  #order(port: PortName, what: 'unpin' | 'forget'): boolean {
    const driver = this.#ports.get(port);
    driver?.do((machine, now) => machine[what](now));
    if (driver) this.#parts.log('info', `${port}: ${what}, by the administrator`);
    return driver !== undefined;
  }

  linkChanged(port: PortName, link: PortLink): void {
    const before = this.#links.get(port);
    if (before === link) return;
    this.#links.set(port, link);
    if (link === 'up' || link === 'down') this.#parts.log('info', `link of ${port} is ${link}`);
    const driver = this.#ports.get(port);
    if (driver && (link === 'up' || before === 'up'))
      driver.do((machine, now) => (link === 'up' ? machine.linkUp(now) : machine.linkDown(now)));
    if (before === 'up') this.#flips.linkDown(this.#book.at(port), port);
    if (driver) this.#notePlace(port);
    if (this.#otherPorts.get(port)?.kind === 'network') this.#chooseNetworkPorts();
    this.#parts.changed(null);
  }

  /** Which network port is to be active in each VLAN. */
  #choice(): RelayState['networkPorts'] {
    const isUp = (name: PortName) => (this.#links.get(name) ?? this.#parts.linkOf(name)) === 'up';
    return activeNetworkPorts(this.#otherPorts, isUp, this.#networkPorts);
  }

  /** Another network port takes over from one whose link is down. */
  #chooseNetworkPorts(): void {
    const before = this.#networkPorts;
    const after = this.#choice();
    if (isDeepStrictEqual(after, before)) return;
    this.#networkPorts = after;
    this.#owed.make('active network ports');
    this.#tellTakeOver(before);
  }

  /** The network behind a port that has taken over VLANs is told of all VSIs in them. */
  #tellTakeOver(before: RelayState['networkPorts']): void {
    for (const [name, vlans] of takenOver(before, this.#networkPorts)) {
      this.#parts.log('info', `${name} is the active network port of VLAN ${vlans.join(', ')} now`);
      this.#news.tookOver(new Set(vlans));
      for (const { host } of this.#hosts.values())
        if (vlans.includes(host.vlan))
          for (const mac of host.macs) this.#parts.relay.tellNetwork(host.vlan, rarp(mac));
    }
  }

  /**
   * What the profile says now: VSIs that have it otherwise get the new policy, each by one atomic write. A VSI whose frames
   * carry a VID on the link that is another VLAN's now has to ask again.
   */
  profileChanged(profile: PortProfile): void {
    const what = `profile ${profileKey(profile.ref)}`;
    const lack = objection(policyOf(profile), this.#parts.relay.capabilities);
    const users = this.#usersOf(profile);
    if (!users.length || lack !== null) {
      this.#settled(what, users.length ? lack : null);
      return;
    }
    for (const entry of users) {
      const named = entry.filter.entries.map(({ vid }) => vid);
      for (const [port, { wireVid }] of entry.attachments) {
        const lost = [wireVid, ...named].find((vid) => !carries(profile, vid));
        if (lost) this.#letGo(entry.vsiId, port, `its profile has no VLAN ${lost} any more`);
      }
    }
    const changed = this.#usersOf(profile).flatMap((entry) => {
      const policy = policyFor(profile, entry.filter);
      return isDeepStrictEqual(entry.policy, policy) ? [] : [{ before: entry, after: { ...entry, policy } }];
    });
    for (const { after } of changed) this.#book.put(after.vsiId, after);
    const refusal = changed.length ? this.#tryToApply() : null;
    if (refusal !== null) for (const { before } of changed) this.#book.put(before.vsiId, before);
    else if (changed.length) this.#parts.log('info', `${what} changed`);
    this.#settled(what, refusal);
  }

  #usersOf({ ref }: PortProfile): VsiEntry[] {
    return [...this.entries.values()].filter(({ profile }) => sameProfile(profile, ref));
  }

  /** All tenants that have limits now. What the data plane refuses of it leaves the tenant's limits as they were. */
  tenantsChanged(wanted: ReadonlyMap<string, TenantLimits>): void {
    const changes = this.#tenants.changes(wanted);
    // one that is refused does not keep the others from theirs
    const together = changes.length > 1 && this.#limit(changes) === null;
    const outcomes = new Map(
      changes.map((change) => [`tenant ${change.name}`, together ? null : this.#limit([change])]),
    );
    for (const what of this.#refused.keys())
      if (what.startsWith('tenant ') && !outcomes.has(what)) this.#settled(what, null);
    for (const [what, refusal] of outcomes) this.#settled(what, refusal);
  }

  #limit(changes: readonly Change[]): string | null {
    const before = this.#tenants.inForce;
    this.#tenants.make(changes);
    const refusal = this.#tryToApply();
    if (refusal !== null) this.#tenants.inForce = before;
    else
      this.#parts.log('info', `limits of tenant ${changes.map(({ name }) => name).join(', ')} are in force`);
    return refusal;
  }

  /** A change by the administrator is in force (null), or refused. */
  #settled(what: string, refusal: string | null): void {
    if ((this.#refused.get(what) ?? null) === refusal) return;
    if (refusal === null) this.#refused.delete(what);
    else {
      this.#refused.set(what, refusal);
      this.#parts.log('warn', `${what} changed, but the data plane refused: ${refusal}`);
    }
    this.#parts.changed(null);
  }

  /** The administrator took away the profile or the VSI, or changed what it is granted: what is not granted any more ends. */
  withdrawn(what: { profile: ProfileKey } | { vsiId: VsiId }): void {
    if ('vsiId' in what) {
      const entry = this.#book.get(what.vsiId);
      if (entry) this.#reconsider(entry);
      return;
    }
    for (const entry of this.entries.values())
      if (profileKey(entry.profile) === what.profile) this.#reconsider(entry);
  }

  /** All is known that the administrator grants: what the data plane has held since before, and is not granted, ends. */
  listed(): void {
    for (const entry of this.entries.values()) this.#reconsider(entry);
  }

  /** The VM's IP addresses, for the address guard. */
  ipsChanged(vsiId: VsiId, ips: readonly string[]): void {
    this.#attempt(vsiId, null, (now) => (!now || isDeepStrictEqual(now.ips, ips) ? now : { ...now, ips }));
  }

  /** What has no addresses in its filter has all those that it is granted now. */
  #reconsider(entry: VsiEntry): void {
    const { vsiId, profile } = entry;
    const entitlement = this.#parts.directory.known(vsiId, profile);
    let { addresses } = entry;
    for (const [port, attachment] of entry.attachments) {
      const admission = entitlement && this.#admit(this.#held(entry, port, attachment), entitlement);
      if (admission?.admitted) addresses = admission.addresses;
      else this.#letGo(vsiId, port, admission?.reason ?? 'withdrawn');
    }
    if (!isDeepStrictEqual(addresses, entry.addresses))
      this.#attempt(vsiId, null, (now) => now && { ...now, addresses });
  }

  /** The bridge's own decision: the station is told. */
  #letGo(vsiId: VsiId, port: PortName, reason: string): void {
    this.#parts.log('info', `VSI ${vsiId} at ${port}: ${reason}`);
    this.#detach(vsiId, null, port);
  }

  /** What a VSI holds at a port, as if it were asked for. */
  #held(entry: VsiEntry, port: PortName, attachment: Attachment): Application {
    const { vsiId, profile } = entry;
    return { vsiId, profile, filter: filterOf(entry, attachment), station: this.#stations.at(port) };
  }

  /** The manager says of a migration that the VM has stopped at its source. */
  migrationStopped(vsiId: VsiId): void {
    this.#flips.stopped(vsiId);
  }

  /** The manager says that a migration was aborted, or has failed. */
  migrationEnded(vsiId: VsiId): void {
    this.#flips.failed(vsiId);
  }

  /** A migration that an announcement may complete was opened: what is counted from here on is its own. */
  migrationOpened(vsiId: VsiId): void {
    this.#attempt(
      vsiId,
      null,
      (entry) => entry && (entry.tally ? entry : { ...entry, tally: this.#tally(entry) }),
    );
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
        // a late keep-alive of the source must not move anything; the destination's may be the word that is awaited
        if (this.#ports.get(port)!.machine.associationOf(output.vsiId) === 'associated')
          this.#confirmed(output.vsiId, port);
        return;
      case 'suspended':
        this.#flips.suspended(output.vsiId, port, output.suspended);
        return;
      case 'held':
        this.#said(
          port,
          output.held ? 'warn' : 'info',
          output.held
            ? `VSI ${output.vsiId} at ${port} is held: its station keeps it alive no more`
            : `VSI ${output.vsiId} at ${port} is kept alive again`,
        );
        changed(output.vsiId);
        return;
      case 'released':
        this.#left(output.vsiId, port);
        this.#said(port, 'info', `VSI ${output.vsiId} released at ${port}: ${output.reason}`);
        return;
      case 'evb':
        this.#negotiated(port, output);
        return;
      case 'neighbour':
        if (output.neighbour) this.#met(port, output.neighbour);
        changed(null);
        for (const { vsiId } of this.#book.at(port)) changed(vsiId);
        return;
      case 'place':
        this.#notePlace(port);
        return;
      case 'other neighbour':
        changed(null);
        return;
      case 'disabled':
        log(
          'warn',
          `${port} is disabled: ${output.by.mac} speaks as a second station; its link must go down first`,
        );
        changed(null);
        return;
      case 'ignored':
        log('warn', `ignored on ${port}: ${output.reason}: ${output.detail}`);
        return;
      case 'late answer':
        return; // `awaits` was asked before anything was set up
    }
  }

  /** The station has let go: where the VM is awaited elsewhere, that is where it has gone. */
  #left(vsiId: VsiId, port: PortName): void {
    this.#release(vsiId, port, port, (entry) => {
      const left = detach(entry, port);
      return entry.active === port && left?.active === null ? flip(left, 'left') : left;
    });
  }

  /** The station has associated what it had pre-associated, and VDP took it for a renewal. */
  #confirmed(vsiId: VsiId, port: PortName): void {
    const entry = this.#book.get(vsiId);
    if (!entry || !isConfirmedBy(entry, port)) return;
    const { wireVid } = entry.attachments.get(port)!;
    if (this.#attempt(vsiId, port, (now) => now && activate(now, port, wireVid)))
      this.#said(port, 'info', `VSI ${vsiId} associate at ${port}: granted`);
  }

  /** A provisional flip, or its end: what the data plane refuses is owed. */
  #turn(vsiId: VsiId, change: (entry: VsiEntry) => VsiEntry | null): void {
    const before = this.#book.get(vsiId);
    this.#commit(
      vsiId,
      null,
      (entry) => entry && change(entry),
      () => this.#owed.make(`VSI ${vsiId} turns`),
    );
    if (!before?.flip) return;
    // what VDP was told of a flip that is undone, it is to take for a pre-association again
    for (const [port, { association }] of before.attachments)
      if (association !== 'associated') this.#adoptAt(port, vsiId);
  }

  /** VDP is to hold there what the entry says. */
  #adoptAt(port: PortName, vsiId: VsiId): void {
    this.#ports.get(port)?.do((machine, now) => {
      machine.adopt(
        this.#heldAt(port).filter((held) => held.vsiId === vsiId),
        now,
      );
      return [];
    });
  }

  /** Who asks at a port. The name of a station that signs is nobody else's: what says it unsigned has none. */
  #believed(port: PortName): { readonly name: string | null } {
    const station = this.#stations.at(port) ?? nobody;
    const isKeyed = (this.#parts.signing?.keysOf(station.name).length ?? 0) > 0;
    return isKeyed && this.#ports.get(port)?.machine.trust === 'first use' ? nobody : station;
  }

  #isSigned(port: PortName): boolean {
    return this.#ports.get(port)?.machine.trust === 'signed';
  }

  /** Whose place the port is, for the next run. */
  #notePlace(port: PortName): void {
    const { station, verified } = this.#ports.get(port)!.machine;
    this.#stations.held(port, { place: station, verified });
  }

  /** A station that is not who was taken to be there may not have what is held there. */
  #met(port: PortName, neighbour: Neighbour): void {
    if (this.#stations.met(port, neighbour))
      for (const entry of this.#book.at(port))
        if (this.#parts.directory.known(entry.vsiId, entry.profile)) this.#reconsider(entry);
    for (const event of this.#announcements.met(port, neighbour)) this.#announced(event);
  }

  /**
   * What a station negotiates takes effect at once. A station that is gone (its agent restarts) leaves reflective relay as
   * it was for the VSIs it leaves behind: their frames go on.
   */
  #negotiated(port: PortName, { negotiated, reflectiveRelay }: EvbOperation): void {
    const on = negotiated ? reflectiveRelay : (this.#reflective.get(port)?.on ?? false);
    this.#reflective.set(port, { on, current: negotiated });
    this.#owed.make(`reflective relay on ${port}`);
    this.#parts.log(
      'info',
      negotiated ? `reflective relay on ${port} is ${on ? 'on' : 'off'}` : `no station on ${port}`,
    );
    this.#parts.changed(null);
  }

  #requested(port: PortName, request: Request): void {
    const at = this.#parts.timestamp();
    const { vsiId, profile } = request;
    const driver = this.#ports.get(port);
    // the port may have been taken away, and come again, while the manager was asked
    const isThere = () => this.#ports.get(port) === driver;
    this.#entitled(this.#requests, port, {
      vsiId,
      profile,
      answered: (entitlement) => {
        if (isThere()) this.#decide(port, request, at, entitlement);
      },
      failed: (error) => {
        if (!isThere()) return;
        const isTooMuch = error instanceof TooManyEnquiries;
        const code = isTooMuch ? 'insufficient resources' : 'unable to contact VSI manager';
        this.#refuse(port, request, code, error.message, true);
      },
    });
  }

  /** What the manager grants: at once where that is known here. */
  #entitled(enquiries: Enquiries, port: PortName, enquiry: Enquiry): void {
    const known = this.#parts.directory.known(enquiry.vsiId, enquiry.profile);
    if (known) enquiry.answered(known);
    else enquiries.make(port, enquiry);
  }

  #decide(port: PortName, request: Request, at: Timestamp, { grant, profile }: Entitlement): void {
    // the station may have given up, or asked for something else, while the manager was asked
    if (this.#stopped || !this.#ports.get(port)!.machine.awaits(request.token)) return;
    const application: Application = {
      vsiId: request.vsiId,
      profile: request.profile,
      filter: request.filter,
      station: this.#believed(port),
    };
    const admission = this.#admit(application, { grant, profile });
    if (!admission.admitted) {
      const { code, reason } = admission;
      this.#refuse(port, request, code, reason, code === 'insufficient resources');
      return;
    }
    const { vsiId, mode } = request;
    const source = this.entries.get(vsiId)?.active;
    if (source && source !== port && mode !== 'associate')
      this.#report(vsiId, 'reserve', { source, destination: port }, { at });
    try {
      this.#commit(vsiId, port, (entry) => {
        if (mode === 'associate' && entry && isReleased(entry, port) && describes(entry, request))
          return renew(entry, port, admission.wireVid);
        if (mode === 'associate')
          return activate(newEntry(entry, vsiId, request.profile, admission), port, admission.wireVid);
        // prepare never harms the source: what it was granted stays until the cut-over
        const base =
          entry?.active && (entry.active !== port || entry.flip)
            ? entry
            : newEntry(entry, vsiId, request.profile, admission);
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
    this.#said(port, 'info', `VSI ${request.vsiId} ${request.mode} at ${port}: granted`);
  }

  /**
   * What is granted, as far as the relay can do it. Where the profile has changed to what it cannot, a VSI that is here
   * goes on, and moves, with what is in force.
   */
  #admit(application: Application, { grant, profile }: Entitlement): Admission {
    const granted = harmless(admit(application, grant, profile), (mac) => this.#speaksFor(mac));
    const admission = feasible(granted, this.#parts.relay.capabilities);
    const entry = this.#book.get(application.vsiId);
    const isHeld = entry !== null && sameProfile(entry.profile, application.profile);
    if (admission.admitted || admission.code !== 'insufficient resources' || !profile || !isHeld)
      return admission;
    return admit(application, grant, { ...profile, ...entry.policy });
  }

  #said(port: PortName, level: 'info' | 'warn', message: string): void {
    this.#requestLog.say(port, level, message, this.#parts.clock.now());
  }

  /** Whether the address is none for a VM: a port's own, a station's, from which control frames come, or a host's. */
  #speaksFor(mac: MacAddress): boolean {
    return this.#stations.has(mac) || [...this.#macs.values()].includes(mac) || this.#isHostAddress(mac);
  }

  /** @param passing it may be granted when asked again: what the VSI holds here, it keeps */
  #refuse(port: PortName, request: Request, code: VdpErrorCode, reason: string, passing = false): void {
    if (this.#stopped || !this.#ports.get(port)!.machine.awaits(request.token)) return;
    this.#said(port, 'warn', `VSI ${request.vsiId} ${request.mode} at ${port}: refused, ${code}: ${reason}`);
    const keep = passing && this.entries.get(request.vsiId)?.attachments.has(port) === true;
    // a station that is refused for good forgets the VSI, and a half-granted profile is no profile
    if (!keep) this.#detach(request.vsiId, port, port);
    this.#ports
      .get(port)!
      .do((machine, now) => machine.answer(request.token, { kind: 'refuse', code, reason, keep }, now));
  }

  #announced(event: RelayEvent): void {
    const armed = this.#book.owners(event.mac).filter((entry) => isArmedBy(entry, event));
    if (armed.length && this.#announcements.counts(event, this.#isSigned(event.port)))
      for (const { vsiId, profile, active } of armed.filter(({ vsiId }) =>
        this.#flips.believes(vsiId, event.port),
      ))
        this.#unlessItSpeaks(event, vsiId, active, () =>
          this.#entitled(this.#arrivals, event.port, {
            vsiId,
            profile,
            answered: (entitlement) => this.#arrive(event, vsiId, active, entitlement),
            failed: (error) => this.#unheard(event, error.message),
          }),
        );
    this.#announcedUnarmed(event);
  }

  /** The classical way: the switch has seen the VM speak on another port, and fetches and sets its profile there now. */
  #announcedUnarmed(event: RelayEvent): void {
    const { directory } = this.#parts;
    for (const grant of directory.owners(event.mac)) {
      const source = this.entries.get(grant.vsiId)?.active ?? null;
      if (source === event.port || !directory.followsAnnouncements(grant.vsiId)) continue;
      if (this.#ports.get(event.port)?.machine.isDisabled) continue;
      const profile = parseProfileKey(grant.profile);
      const { vsiId } = grant;
      this.#unlessItSpeaks(event, vsiId, source, () =>
        this.#arrivals.make(event.port, {
          vsiId,
          profile,
          answered: (entitlement) => this.#follow(event, { vsiId, profile, source }, entitlement),
          failed: (error) => this.#unheard(event, error.message),
        }),
      );
    }
  }

  /** Goes on if the announcement can be the VM's own. */
  #unlessItSpeaks(event: RelayEvent, vsiId: VsiId, source: PortName | null, then: () => void): void {
    whenSilent(this.#parts, event, { vsiId, source }, then, (where) =>
      this.#unheard(event, `it still speaks on ${where}`),
    );
  }

  /** While the manager was asked, the VM may have spoken at its source: the announcement was somebody else's. */
  #hasSpokenSince(event: RelayEvent, vsiId: VsiId, source: PortName | null): boolean {
    if (source === null || lastFrame(this.#parts.relay, vsiId, source) <= event.at) return false;
    this.#unheard(event, `it still speaks on ${source}`);
    return true;
  }

  #unheard({ mac, port }: RelayEvent, reason: string): void {
    this.#parts.log('warn', `announcement of ${mac} on ${port} ignored: ${reason}`);
  }

  /** The VM runs where its station has announced it: as if the station had associated it, which it may still do. */
  #arrive(event: RelayEvent, vsiId: VsiId, source: PortName | null, entitlement: Entitlement): void {
    const entry = this.#book.get(vsiId);
    // it was moved, or given up, meanwhile
    if (this.#stopped || !entry || entry.active !== source || !isArmedBy(entry, event)) return;
    if (this.#hasSpokenSince(event, vsiId, source)) return;
    const { port } = event;
    const attachment = entry.attachments.get(port)!;
    const admission = this.#admit(this.#held(entry, port, attachment), entitlement);
    if (!admission.admitted) {
      this.#unheard(event, admission.reason);
      return;
    }
    if (!this.#attempt(vsiId, port, (now) => now && flip(now, 'announcement'))) return;
    this.#parts.log('info', `VSI ${vsiId} announces itself at ${port}: active for now`);
    this.#ports.get(port)!.do((machine, now) => machine.associated(vsiId, now));
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
    const application = { vsiId, profile: ref, filter, station: this.#believed(event.port) };
    const admission = this.#admit(application, { grant, profile });
    if (!admission.admitted) {
      this.#unheard(event, admission.reason);
      return;
    }
    const known = this.#book.get(vsiId);
    const driver = this.#ports.get(event.port);
    if (!driver || driver.machine.isDisabled) return;
    if (this.#stopped || (known?.active ?? null) !== source) return; // it was moved meanwhile
    if (this.#hasSpokenSince(event, vsiId, source)) return;
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
    if (source) return;
    const counts = this.#countsOf(this.#book.get(vsiId)!);
    for (const moment of ['active', 'release'] as const)
      this.#passed(vsiId, { moment, source, destination: event.port }, counts);
  }

  /**
   * Changes one entry: in the data plane first, then here, then in the reports. The stations that lose their attachment
   * by it are told, but for the one at `by`, which knows. @throws RelayError, and nothing changed
   */
  #commit(
    vsiId: VsiId,
    by: PortName | null,
    change: (entry: VsiEntry | null) => VsiEntry | null,
    apply = (): void => this.#apply(),
  ): void {
    const before = this.#book.get(vsiId);
    const changed = change(before);
    if (changed === before) return;
    const found = passages(before, changed);
    const passes = (...moments: Passage['moment'][]) => found.some(({ moment }) => moments.includes(moment));
    const ends = passes('release', 'abort');
    // a place that goes takes its counters with it
    const last = before && (ends || passes('undo')) ? this.#countsOf(before) : null;
    const after = changed && {
      ...changed,
      ...(ends ? { tally: null } : before && passes('ready') ? { tally: this.#tally(before) } : {}),
    };
    this.#book.put(vsiId, after);
    try {
      apply();
    } catch (error) {
      this.#book.put(vsiId, before);
      throw error;
    }
    this.#news.changed(vsiId, before, after);
    this.#flips.changed(vsiId, before, after);
    for (const passage of found) this.#passed(vsiId, passage, last);
    for (const port of before?.attachments.keys() ?? [])
      if (port !== by && !after?.attachments.has(port))
        this.#ports.get(port)?.do((machine, now) => machine.deassociate(vsiId, now));
    this.#parts.changed(vsiId);
  }

  /** What is not granted any more goes, now or when the data plane takes it. */
  #detach(vsiId: VsiId, by: PortName | null, port: PortName): void {
    this.#release(vsiId, by, port, (entry) => detach(entry, port));
  }

  #release(
    vsiId: VsiId,
    by: PortName | null,
    port: PortName,
    change: (entry: VsiEntry) => VsiEntry | null,
  ): void {
    this.#commit(
      vsiId,
      by,
      (entry) => entry && change(entry),
      () => this.#owed.make(`VSI ${vsiId} released at ${port}`),
    );
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

  #passed(vsiId: VsiId, passage: Passage, counts: Counts | null): void {
    const { moment, source, destination } = passage;
    const count = (port: PortName | null) => (port === null ? null : (counts?.at(port) ?? null));
    const counted = { source: count(source), destination: count(destination) };
    this.#report(vsiId, moment, passage, {
      ...(counting.has(moment) && { counts: counted }),
      // whatever went there the VM never saw
      ...(moment === 'undo' && { lost: { undone: counted.destination?.framesToVm ?? 0 } }),
    });
  }

  #report(
    vsiId: VsiId,
    moment: MigrationReport['moment'],
    { source, destination }: { source: PortName | null; destination: PortName },
    more: Partial<Pick<MigrationReport, 'counts' | 'lost' | 'at'>> = {},
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

  /** Null, or why the data plane refuses and is as it was. */
  #tryToApply(): string | null {
    try {
      this.#apply();
      return null;
    } catch (error) {
      if (!(error instanceof RelayError)) throw error;
      return error.message;
    }
  }

  #apply(): void {
    if (this.#stopped) return;
    const ports = new Map<PortName, RelayPort>(this.#otherPorts);
    for (const [name, { egress }] of this.#stationLinks) {
      const { on, current } = this.#reflective.get(name) ?? { on: false, current: false };
      const isUsed = current || this.#book.isUsed(name);
      ports.set(name, { kind: 'station', reflectiveRelay: on && isUsed, ...egress });
    }
    this.#parts.relay.apply(
      {
        ports,
        vsis: this.#book.relayed,
        tenants: this.#tenants.inForce,
        networkPorts: this.#networkPorts,
        ageingTime: this.#settings.ageingTime,
      },
      this.#book.unapplied ?? undefined,
    );
    this.#mirrorWarnings.look(this.#book.unapplied ?? this.entries.keys(), this.entries, this.#otherPorts);
    this.#book.applied();
    this.#owed.done();
  }

  #tally({ vsiId, addresses }: VsiEntry): Tally {
    const { relay, directory } = this.#parts;
    const counters = relay.countersOf(vsiId);
    // only a VM that moves unannounced speaks where it has no place, and the strangers are many
    return directory.followsAnnouncements(vsiId)
      ? tally(counters, relay.counters().strangers, addresses)
      : tally(counters);
  }

  /** What was counted of a VSI's migration up to now. */
  #countsOf(entry: VsiEntry): Counts {
    const { relay, stampOf } = this.#parts;
    const counters = relay.countersOf(entry.vsiId);
    const now = this.#tally(entry);
    return {
      at: (port) => portCount(difference(entry.tally, now, port), counters.get(port), stampOf),
    };
  }

  /** What VDP holds at a port, by the entries. */
  #heldAt(port: PortName): BridgeVsi[] {
    return this.#book.at(port).map((entry) => {
      const attachment = entry.attachments.get(port)!;
      const { vsiId, profile, flip, active } = entry;
      const { association } = attachment;
      const hasStopped = flip === 'stop' && active !== port;
      return {
        vsiId,
        profile,
        association,
        filter: filterOf(entry, attachment),
        ...(hasStopped && { suspended: true }),
      };
    });
  }

  /** Whether the VSI has moved away: the port's station may never say that it let go of it. */
  #isElsewhere(vsiId: VsiId, port: PortName): boolean {
    const entry = this.#book.get(vsiId);
    return entry === null || (isReleased(entry, port) && !entry.flip);
  }

  /** Since when the VSI is held at the port without its station's keep-alives; null: it is kept alive. */
  heldSince(vsiId: VsiId, port: PortName): Timestamp | null {
    const { clock, timestamp } = this.#parts;
    const since = this.#ports.get(port)?.machine.heldSince(vsiId) ?? null;
    return since === null ? null : timestamp() - Math.round((clock.now() - since) * 1000);
  }

  /** The system name of the station at a port; null if there is none, or it does not say. */
  stationAt(port: PortName): string | null {
    return this.#ports.get(port)?.machine.neighbour?.systemName ?? null;
  }
}

/** From where nothing is sent: a port without an interface is down. */
export const noAddress = parseMac('00:00:00:00:00:00');

/** Where none was met, there is none that may have what only some may. */
const nobody = { name: null };

const reservations = {
  'pre-associate': 'pre-associated',
  'pre-associate-rr': 'pre-associated with resource reservation',
} as const satisfies Record<Exclude<Request['mode'], 'associate'>, Reservation>;

/** Whether a station asks for what the VSI is granted, in whatever words: after a restart its own are not known any more. */
function describes({ profile, addresses }: VsiEntry, request: Request): boolean {
  return (
    sameProfile(profile, request.profile) &&
    request.filter.entries.every(({ mac }) => mac === undefined || addresses.includes(mac))
  );
}

/** The moments at which a place goes, and its counters with it, and those that say what has been lost. */
const counting: ReadonlySet<Passage['moment']> = new Set(['undo', 'release', 'abort']);

/** Whether the VSI is armed where it announces itself. */
function isArmedBy(entry: VsiEntry, { reason, port, wireVid }: RelayEvent): boolean {
  const { armed } = places(entry);
  return reason === 'armed' && armed?.port === port && armed.wireVid === wireVid;
}

function carries({ vlan, trunk }: PortProfile, vid: Vid | NullVid): boolean {
  return vid === nullVid || vid === vlan || trunk.includes(vid);
}

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
    policy: admission.policy,
    addresses: admission.addresses,
    ips: admission.ips,
    filter: atPlace(admission.filter, admission.wireVid),
    attachments: before?.attachments ?? new Map(),
    active: before?.active ?? null,
    flip: before?.flip ?? null,
    tally: before?.tally ?? null,
  };
}
