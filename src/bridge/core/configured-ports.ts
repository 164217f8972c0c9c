import type { MacAddress } from '../../domain/mac-address.ts';
import type { Vid } from '../../domain/vid.ts';
import type { VsiId } from '../../domain/vsi-id.ts';
import type { PortName, RelayPort } from '../../relay/contract/relay.ts';
import type { Heed } from './announcements.ts';
import type { EntryBook } from './entry-book.ts';
import { hostVsi, hostVsiId, type Host } from './host-vsi.ts';
import { vlansOf } from './network-ports.ts';
import type { PortSettings, StationLink } from './parts.ts';

/** The ports as the administrator has them. The hosts' own traffic at them is declared in the book. */
export class ConfiguredPorts {
  readonly #book: EntryBook;
  #settings: PortSettings;
  /** the station ports of the settings */
  readonly #stations = new Map<PortName, StationLink>();
  readonly #heeds = new Map<PortName, Heed>();
  #hosts: ReadonlyMap<VsiId, { readonly port: PortName; readonly host: Host }> = new Map();
  /** network and mirror ports */
  #others = new Map<PortName, RelayPort>();

  constructor(settings: PortSettings, book: EntryBook) {
    this.#book = book;
    this.#settings = settings;
    this.use(settings);
  }

  use(settings: PortSettings): void {
    this.#settings = settings;
    this.#others = new Map(settings.otherPorts);
    this.#stations.clear();
    this.#heeds.clear();
    for (const link of settings.links) {
      this.#stations.set(link.name, link);
      if (link.announcements) this.#heeds.set(link.name, link.announcements);
    }
    const hosts = new Map(
      settings.links.flatMap(({ name: port, host }) => (host ? [[hostVsiId(host), { port, host }]] : [])),
    );
    for (const vsiId of this.#hosts.keys()) if (!hosts.has(vsiId)) this.#book.declare(vsiId, null);
    for (const [vsiId, { port, host }] of hosts) this.#book.declare(vsiId, hostVsi(host, port));
    this.#hosts = hosts;
  }

  /** As they were given to `use` last. */
  get settings(): PortSettings {
    return this.#settings;
  }

  get stations(): ReadonlyMap<PortName, StationLink> {
    return this.#stations;
  }

  /** Where the administrator says whether VMs' announcements count. The map stays the same when the ports change. */
  get heeds(): ReadonlyMap<PortName, Heed> {
    return this.#heeds;
  }

  /** Network and mirror ports, with the addresses that they have now. */
  get others(): ReadonlyMap<PortName, RelayPort> {
    return this.#others;
  }

  get hosts(): ReadonlyMap<VsiId, { readonly port: PortName; readonly host: Host }> {
    return this.#hosts;
  }

  get kinds(): ReadonlyMap<PortName, RelayPort['kind']> {
    const { links } = this.#settings;
    return new Map([
      ...Array.from(this.#others, ([name, { kind }]) => [name, kind] as const),
      ...links.map(({ name }) => [name, 'station'] as const),
    ]);
  }

  /** The VLANs that a network port carries. */
  vlansOf(port: PortName): readonly Vid[] {
    const other = this.#others.get(port);
    return other ? vlansOf(other) : [];
  }

  isHostAddress(mac: MacAddress): boolean {
    return [...this.#hosts.values()].some(({ host }) => host.macs.includes(mac));
  }

  /** The interface of a port has the address now. True if that changes what the bridge's own host has at the port. */
  addressChanged(port: PortName, mac: MacAddress): boolean {
    const other = this.#others.get(port);
    if (other?.kind !== 'network' || !other.host || other.host.address === mac) return false;
    this.#others.set(port, { ...other, host: { ...other.host, address: mac } });
    return true;
  }
}
