import type { MacAddress } from '../domain/mac-address.ts';
import type { Neighbour } from '../protocol/lldp/neighbour.ts';
import type { PortName } from '../relay/relay.ts';

/** Who speaks for the VMs at a port. */
export interface Station {
  readonly mac: MacAddress;
  /** as LLDP tells it; null if it tells none */
  readonly name: string | null;
  /** whether the port is its place, be it heard or not, so that nobody else is taken for it */
  readonly pinned: boolean;
}

/**
 * The station that was met last at each port. A station that is silent, or whose agent or bridge starts anew, is still
 * the one that its VMs are at, until another is met there.
 */
export class Stations {
  readonly #met: Map<PortName, Station>;
  readonly #changed: (stations: ReadonlyMap<PortName, Station>) => void;

  /** @param before as they were told to `changed` last */
  constructor(
    before: ReadonlyMap<PortName, Station> = new Map(),
    changed: (stations: ReadonlyMap<PortName, Station>) => void = () => {},
  ) {
    this.#met = new Map(before);
    this.#changed = changed;
  }

  /** Null: none was met there yet. */
  at(port: PortName): Station | null {
    return this.#met.get(port) ?? null;
  }

  /** Whether a station sends its own frames from the address. */
  has(mac: MacAddress): boolean {
    for (const station of this.#met.values()) if (station.mac === mac) return true;
    return false;
  }

  /** A station has said who it is. True if that is news. */
  met(port: PortName, { mac, systemName: name }: Neighbour): boolean {
    const before = this.at(port);
    const isNews = before?.mac !== mac || before.name !== name;
    if (isNews || !before.pinned) this.#put(port, { mac, name, pinned: true });
    return isNews;
  }

  /** Whose place the port is now; null: whoever comes. */
  pinned(port: PortName, mac: MacAddress | null): void {
    const station = this.at(port);
    const pinned = station?.mac === mac;
    if (station && station.pinned !== pinned) this.#put(port, { ...station, pinned });
  }

  #put(port: PortName, station: Station): void {
    this.#met.set(port, station);
    this.#changed(this.#met);
  }
}
