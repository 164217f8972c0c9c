import type { MacAddress } from '../../domain/mac-address.ts';
import type { Timestamp } from '../../domain/migration.ts';
import type { PortProfile, TenantLimits } from '../../domain/port-profile.ts';
import type { ProfileKey } from '../../domain/profile-ref.ts';
import type { Vid } from '../../domain/vid.ts';
import type { VsiId } from '../../domain/vsi-id.ts';
import type { BridgePort } from '../../protocol/bridge-port.ts';
import type { PortName, RelayPort, RelayState } from '../../relay/contract/relay.ts';
import { ActiveNetworkPorts } from './active-network-ports.ts';
import { Arrivals } from './arrivals.ts';
import { Associations } from './associations.ts';
import { Commits } from './commits.ts';
import { ConfiguredPorts } from './configured-ports.ts';
import { Entitlements } from './entitlements.ts';
import { EntryBook } from './entry-book.ts';
import { Flips } from './flips.ts';
import { isHostVsi, type Host } from './host-vsi.ts';
import { fromRelay } from './label.ts';
import { NetworkNews } from './network-news.ts';
import type { BridgeAgentParts, PortSettings } from './parts.ts';
import type { PortLink } from './port-link.ts';
import { PortChanges } from './port-changes.ts';
import { Reconciler } from './reconciler.ts';
import { Reports } from './reports.ts';
import { StationPorts } from './station-ports.ts';
import { Stations } from './stations.ts';
import { Tenants } from './tenants.ts';
import { detach, type VsiEntry } from './vsi-entry.ts';

/**
 * The bridge agent without its shell: VDP requests and announcements in, relay states and reports out. It has no
 * sockets and no clock of its own, so the simulated lab runs it as it is.
 */
export class BridgeAgent {
  readonly #parts: BridgeAgentParts;
  readonly #book = new EntryBook();
  readonly #configured: ConfiguredPorts;
  readonly #ports: StationPorts;
  readonly #news: NetworkNews;
  readonly #flips: Flips;
  readonly #reconciler: Reconciler;
  readonly #network: ActiveNetworkPorts;
  readonly #commits: Commits;
  readonly #entitlements: Entitlements;
  readonly #associations: Associations;
  readonly #arrivals: Arrivals;
  readonly #portChanges: PortChanges;
  readonly #tenants = new Tenants();

  constructor(parts: BridgeAgentParts) {
    this.#parts = parts;
    const book = this.#book;
    const isStopped = () => this.#reconciler.isStopped;
    const configured = new ConfiguredPorts(parts, book);
    const ports = new StationPorts({
      ...parts,
      configured,
      book,
      stations: parts.stations ?? new Stations(),
      owe: (what) => this.#reconciler.owe(what),
      said: (port, output) => this.#associations.handle(port, output),
      met: (port, neighbour, isNews) => {
        if (isNews) this.#entitlements.stationMet(port);
        this.#arrivals.stationMet(port, neighbour);
      },
    });
    const reports = new Reports(parts);
    const news = new NetworkNews(parts, book.entries);
    const flips = new Flips({
      ...parts,
      entry: (vsiId) => book.get(vsiId),
      isSigned: (port) => ports.isSigned(port),
      change: (vsiId, change) => this.#commits.turn(vsiId, change),
    });
    const reconciler = new Reconciler({ ...parts, book, state: () => this.#state() });
    const commits = new Commits({ ...parts, book, reconciler, ports, reports, news, flips });
    const tenants = this.#tenants;
    const entitlements = new Entitlements({
      ...parts,
      book,
      tenants,
      configured,
      ports,
      reconciler,
      commits,
    });
    const asked = { book, ports, flips, entitlements, commits, reports, isStopped };
    this.#associations = new Associations({ ...parts, ...asked });
    this.#arrivals = new Arrivals({ ...parts, ...asked, heeds: configured.heeds });
    const network = new ActiveNetworkPorts({
      ...parts,
      ports: configured,
      isUp: (port) => (this.#portChanges.links.get(port) ?? parts.linkOf(port)) === 'up',
      news,
      owe: (what) => reconciler.owe(what),
    });
    this.#portChanges = new PortChanges({
      ...parts,
      book,
      configured,
      ports,
      network,
      reconciler,
      commits,
      flips,
    });
    this.#configured = configured;
    this.#ports = ports;
    this.#news = news;
    this.#flips = flips;
    this.#reconciler = reconciler;
    this.#commits = commits;
    this.#entitlements = entitlements;
    this.#network = network;
    for (const link of parts.links) ports.open(link);
  }

  /**
   * Other ports, or the same ones otherwise: what is as it was is not touched. A new port's link is told by `linkChanged`,
   * like any other's. VSIs at a station port that goes are let go of. @throws RelayError, and nothing was changed
   */
  configure(wanted: PortSettings): void {
    this.#portChanges.configure(wanted);
  }

  /** The port's interface has another address: it was made anew, or given one. */
  addressChanged(port: PortName, mac: MacAddress): void {
    this.#portChanges.addressChanged(port, mac);
  }

  linkChanged(port: PortName, link: PortLink): void {
    this.#portChanges.linkChanged(port, link);
  }

  get entries(): ReadonlyMap<VsiId, VsiEntry> {
    return this.#book.entries;
  }

  /** Every port, by what it is. The data plane would tell it as well, after reading back all its VSIs. */
  get portKinds(): ReadonlyMap<PortName, RelayPort['kind']> {
    return this.#configured.kinds;
  }

  /** The hosts' own traffic that is declared, by its VSIID. */
  get hosts(): ReadonlyMap<VsiId, { readonly port: PortName; readonly host: Host }> {
    return this.#configured.hosts;
  }

  /** The active network port of each VLAN. */
  get networkPorts(): ReadonlyMap<Vid, PortName> {
    return this.#network.byVlan;
  }

  /** The VLANs that a network port carries. */
  vlansOf(port: PortName): readonly Vid[] {
    return this.#configured.vlansOf(port);
  }

  /** How each port's link is. */
  get links(): ReadonlyMap<PortName, PortLink> {
    return this.#portChanges.links;
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
    return this.#entitlements.refused;
  }

  /** Whether the VSI is attached at a port. */
  runs(vsiId: VsiId): boolean {
    return this.entries.has(vsiId);
  }

  /** What the data plane has refused to do so far; null: it is as it should be. */
  get owed(): string | null {
    return this.#reconciler.owed;
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
    this.#ports.adopt(held.ports);
    const before = held.networkPorts;
    this.#network.choose((name) => linkOf(name) === 'up', before);
    this.#reconciler.apply();
    this.#network.tellTakeOver(before);
    const { size } = this.entries;
    if (size) this.#parts.log('info', `adopted ${size} VSIs from the data plane`);
    relay.watch((event) => this.#arrivals.announced(event));
    for (const name of this.portKinds.keys()) {
      const link = linkOf(name);
      const driver = this.#ports.get(name);
      if (link !== 'up') driver?.do((machine, now) => machine.linkDown(now));
      this.linkChanged(name, link);
    }
  }

  #adopt(entry: VsiEntry): void {
    const hostAddress = entry.addresses.find((mac) => this.#configured.isHostAddress(mac));
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
    if (this.#reconciler.isStopped) return;
    this.#reconciler.stop();
    this.#news.stop();
    this.#flips.stop();
    this.#ports.stop();
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

  /** There are other keys: LLDP says whether there are any. */
  keysChanged(): void {
    for (const [, driver] of this.#ports) driver.do((machine, now) => machine.keysChanged(now));
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

  /**
   * What the profile says now: VSIs that have it otherwise get the new policy, each by one atomic write. A VSI whose frames
   * carry a VID on the link that is another VLAN's now has to ask again.
   */
  profileChanged(profile: PortProfile): void {
    this.#entitlements.profileChanged(profile);
  }

  /** All tenants that have limits now. What the data plane refuses of it leaves the tenant's limits as they were. */
  tenantsChanged(wanted: ReadonlyMap<string, TenantLimits>): void {
    this.#entitlements.tenantsChanged(wanted);
  }

  /** The administrator took away the profile or the VSI, or changed what it is granted: what is not granted any more ends. */
  withdrawn(what: { profile: ProfileKey } | { vsiId: VsiId }): void {
    this.#entitlements.withdrawn(what);
  }

  /** All is known that the administrator grants: what the data plane has held since before, and is not granted, ends. */
  listed(): void {
    this.#entitlements.listed();
  }

  /** The VM's IP addresses, for the address guard. */
  ipsChanged(vsiId: VsiId, ips: readonly string[]): void {
    this.#entitlements.ipsChanged(vsiId, ips);
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
    this.#commits.migrationOpened(vsiId);
  }

  /** What the data plane is to have besides the VSIs. */
  #state(): Omit<RelayState, 'vsis'> {
    return {
      ports: new Map([...this.#configured.others, ...this.#ports.relayed()]),
      tenants: this.#tenants.inForce,
      networkPorts: this.networkPorts,
      ageingTime: this.#configured.settings.ageingTime,
    };
  }

  /** Since when the VSI is held at the port without its station's keep-alives; null: it is kept alive. */
  heldSince(vsiId: VsiId, port: PortName): Timestamp | null {
    return this.#ports.heldSince(vsiId, port);
  }

  /** The system name of the station at a port; null if there is none, or it does not say. */
  stationAt(port: PortName): string | null {
    return this.#ports.get(port)?.machine.neighbour?.systemName ?? null;
  }
}
