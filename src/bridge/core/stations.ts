import { isDeepStrictEqual } from 'node:util';
import type { MacAddress } from '../../domain/mac-address.ts';
import type { Neighbour } from '../../protocol/lldp/neighbour.ts';
import type { Speaker } from '../../protocol/place.ts';
import type { VerifiedKey } from '../../protocol/signed/counters.ts';
import type { PortName } from '../../relay/contract/relay.ts';

/** Who speaks for the VMs at a port. */
export interface Station extends Held {
  readonly mac: MacAddress;
  /** as LLDP tells it; null if it tells none */
  readonly name: string | null;
}

/** What a port's machine has to know again after a restart. */
export interface Held {
  /** whose place the port is, be it heard or not; null: whoever comes */
  readonly place: Speaker | null;
  /** what signed here, and how far it had counted */
  readonly verified: readonly VerifiedKey[];
}

/** `isUrgent`: an agent that forgot it would take for new what was taken already. */
export type StationsChanged = (stations: ReadonlyMap<PortName, Station>, isUrgent: boolean) => void;

/**
 * The station that was met last at each port. A station that is silent, or whose agent or bridge starts anew, is still
 * the one that its VMs are at, until another is met there.
 */
export class Stations {
  readonly #met: Map<PortName, Station>;
  readonly #changed: StationsChanged;

  /** @param before as they were told to `changed` last */
  constructor(before: ReadonlyMap<PortName, Station> = new Map(), changed: StationsChanged = () => {}) {
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
    if (isNews) this.#put(port, { place: null, verified: [], ...before, mac, name }, false);
    return isNews;
  }

  /** What the port's machine has to know again. */
  held(port: PortName, { place, verified }: Held): void {
    const station = this.at(port);
    if (!station) return;
    const isUrgent = !isDeepStrictEqual(station.verified, verified);
    if (isUrgent || !isDeepStrictEqual(station.place, place))
      this.#put(port, { ...station, place, verified }, isUrgent);
  }

  #put(port: PortName, station: Station, isUrgent: boolean): void {
    this.#met.set(port, station);
    this.#changed(this.#met, isUrgent);
  }
}
