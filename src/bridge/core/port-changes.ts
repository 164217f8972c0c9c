import type { MacAddress } from '../../domain/mac-address.ts';
import { RelayError, type PortName } from '../../relay/contract/relay.ts';
import type { ActiveNetworkPorts } from './active-network-ports.ts';
import type { Commits } from './commits.ts';
import type { ConfiguredPorts } from './configured-ports.ts';
import type { EntryBook } from './entry-book.ts';
import type { Flips } from './flips.ts';
import type { BridgeAgentParts, PortSettings, StationLink } from './parts.ts';
import type { PortLink } from './port-link.ts';
import type { Reconciler } from './reconciler.ts';
import type { StationPorts } from './station-ports.ts';

export interface PortChangesParts extends Pick<BridgeAgentParts, 'changed' | 'log'> {
  readonly book: EntryBook;
  readonly configured: ConfiguredPorts;
  readonly ports: Pick<StationPorts, 'open' | 'close' | 'get' | 'has' | 'notePlace' | 'addressChanged'>;
  readonly network: Pick<ActiveNetworkPorts, 'byVlan' | 'choose' | 'linkChanged' | 'tellTakeOver'>;
  readonly reconciler: Pick<Reconciler, 'attempt' | 'owe'>;
  readonly commits: Pick<Commits, 'letGo'>;
  readonly flips: Pick<Flips, 'linkDown'>;
}

/** What changes at ports while the agent runs: the administrator's settings, and the interfaces' links and addresses. */
export class PortChanges {
  readonly #parts: PortChangesParts;
  readonly #links = new Map<PortName, PortLink>();

  constructor(parts: PortChangesParts) {
    this.#parts = parts;
  }

  /** How each port's link is; a station port's also where the machine does not use it. */
  get links(): ReadonlyMap<PortName, PortLink> {
    return this.#links;
  }

  /**
   * Other ports, or the same ones otherwise: what is as it was is not touched. A new port's link is told by `linkChanged`,
   * like any other's. VSIs at a station port that goes are let go of. @throws RelayError, and nothing was changed
   */
  configure(wanted: PortSettings): void {
    const { configured, network, reconciler, ports } = this.#parts;
    const kept = configured.settings;
    const stay = new Set(wanted.links.map(({ name }) => name));
    const leaving = kept.links
      .filter(({ name }) => !stay.has(name))
      .map((link) => ({ ...link, host: undefined }));
    const others = new Map(wanted.otherPorts);
    for (const { name } of leaving) others.delete(name); // not before its VSIs are let go of
    const before = { others: configured.others, networkPorts: network.byVlan };
    configured.use({ ...wanted, links: [...wanted.links, ...leaving], otherPorts: others });
    network.choose();
    const refusal = reconciler.attempt();
    if (refusal !== null) {
      configured.use({ ...kept, otherPorts: before.others });
      network.byVlan = before.networkPorts;
      throw new RelayError(refusal);
    }
    for (const { name } of leaving) this.#close(name);
    configured.use(wanted);
    network.choose();
    for (const link of wanted.links) if (!ports.has(link.name)) this.#opened(link);
    for (const name of this.#links.keys()) if (!configured.kinds.has(name)) this.#links.delete(name);
    reconciler.owe('ports of the configuration');
    network.tellTakeOver(before.networkPorts);
    this.#parts.changed(null);
  }

  /** The port's interface has another address: it was made anew, or given one. */
  addressChanged(port: PortName, mac: MacAddress): void {
    const { configured, reconciler, ports, log } = this.#parts;
    if (configured.addressChanged(port, mac)) reconciler.owe(`address of ${port}`);
    if (!ports.has(port)) return;
    const before = ports.addressChanged(port, mac);
    if (before !== undefined && before !== mac) log('info', `${port} has the address ${mac} now`);
  }

  linkChanged(port: PortName, link: PortLink): void {
    const { book, configured, network, ports, flips, changed, log } = this.#parts;
    const before = this.#links.get(port);
    if (before === link) return;
    this.#links.set(port, link);
    if (link === 'up' || link === 'down') log('info', `link of ${port} is ${link}`);
    const driver = ports.get(port);
    if (driver && (link === 'up' || before === 'up'))
      driver.do((machine, now) => (link === 'up' ? machine.linkUp(now) : machine.linkDown(now)));
    if (before === 'up') flips.linkDown(book.at(port), port);
    if (driver) ports.notePlace(port);
    if (configured.others.get(port)?.kind === 'network') network.linkChanged();
    changed(null);
  }

  #opened(link: StationLink): void {
    this.#parts.ports.open(link);
    this.#links.delete(link.name); // it may have been a port of another kind
  }

  #close(port: PortName): void {
    const { book, ports, commits } = this.#parts;
    for (const { vsiId } of book.at(port)) commits.letGo(vsiId, port, 'the port is taken away');
    ports.close(port);
    this.#links.delete(port);
  }
}
