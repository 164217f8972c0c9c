import { parseMac, type MacAddress } from '../../domain/mac-address.ts';
import type { Timestamp } from '../../domain/migration.ts';
import type { VsiId } from '../../domain/vsi-id.ts';
import { BridgePort, type BridgePortOutput } from '../../protocol/bridge-port.ts';
import { Driver } from '../../protocol/driver.ts';
import type { EvbOperation } from '../../protocol/evb/parameters.ts';
import { defaultPlaceHold } from '../../protocol/gate.ts';
import type { Neighbour } from '../../protocol/lldp/neighbour.ts';
import type { BridgeVsi } from '../../protocol/vdp/bridge-vsi.ts';
import { defaultHold } from '../../protocol/vdp/hold.ts';
import type { PortName, RelayPort } from '../../relay/contract/relay.ts';
import type { ConfiguredPorts } from './configured-ports.ts';
import type { EntryBook } from './entry-book.ts';
import { filterOf } from './label.ts';
import type { BridgeAgentParts, StationLink } from './parts.ts';
import type { Stations } from './stations.ts';
import { isReleased } from './vsi-entry.ts';

/** What VDP at a port says of one VSI. */
export type VsiOutput = Extract<
  BridgePortOutput,
  { kind: 'request' | 'renewed' | 'suspended' | 'held' | 'released' }
>;

type StationPort = Driver<BridgePort, BridgePortOutput>;

export interface StationPortsParts extends Pick<
  BridgeAgentParts,
  | 'name'
  | 'evb'
  | 'limits'
  | 'otherNeighbours'
  | 'managementAddresses'
  | 'firstSequence'
  | 'signing'
  | 'clock'
  | 'timestamp'
  | 'changed'
  | 'log'
> {
  readonly configured: Pick<ConfiguredPorts, 'stations' | 'isHostAddress'>;
  readonly book: EntryBook;
  readonly stations: Stations;
  /** puts what has changed into the data plane, now or later */
  readonly owe: (what: string) => void;
  /** VDP at a port has said something of a VSI */
  readonly said: (port: PortName, output: VsiOutput) => void;
  /** a station has said who it is, which may be news */
  readonly met: (port: PortName, neighbour: Neighbour, isNews: boolean) => void;
}

/** The station ports: the protocol machine of each, and who speaks there. */
export class StationPorts {
  readonly #parts: StationPortsParts;
  readonly #ports = new Map<PortName, StationPort>();
  /** the ports' own addresses */
  readonly #macs = new Map<PortName, MacAddress>();
  /** reflective relay as it was negotiated last; `current` while the station is there that negotiated it */
  readonly #reflective = new Map<PortName, { readonly on: boolean; readonly current: boolean }>();

  constructor(parts: StationPortsParts) {
    this.#parts = parts;
  }

  open({ name, mac, send, drain }: StationLink): void {
    const { configured, book, stations, ...parts } = this.#parts;
    const { otherNeighbours, managementAddresses, signing, clock } = parts;
    const [macs, links] = [this.#macs, configured.stations];
    if (mac !== undefined) macs.set(name, mac);
    const { place = null, verified = [] } = stations.at(name) ?? {};
    const machine = new BridgePort({
      ...(place && { station: place }),
      ...(signing && { signing: { ...signing, verified } }),
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
      isActive: (vsiId) => book.get(vsiId)?.active === name,
      ...(otherNeighbours !== undefined && { otherNeighbours }),
      ...(managementAddresses && { managementAddresses }),
      systemName: parts.name,
      portId: name,
      evb: parts.evb,
      limits: parts.limits,
      firstSequence: parts.firstSequence,
      isVsiAddress: (mac) => book.hasAddress(mac),
    });
    const handle = (output: BridgePortOutput) => this.#handle(name, output, send);
    this.#ports.set(name, new Driver(machine, clock, handle, drain));
  }

  close(port: PortName): void {
    const driver = this.#ports.get(port)!;
    shutdown(driver);
    this.#ports.delete(port);
    this.#reflective.delete(port);
    this.#macs.delete(port);
  }

  /** Says goodbye on every port (LLDP with TTL 0), and stops the machines. */
  stop(): void {
    for (const driver of this.#ports.values()) shutdown(driver);
  }

  get(port: PortName): StationPort | undefined {
    return this.#ports.get(port);
  }

  has(port: PortName): boolean {
    return this.#ports.has(port);
  }

  [Symbol.iterator](): Iterator<[PortName, StationPort]> {
    return this.#ports.entries();
  }

  /** The port's address before; undefined: it had none. */
  addressChanged(port: PortName, mac: MacAddress): MacAddress | undefined {
    const before = this.#macs.get(port);
    this.#macs.set(port, mac);
    return before;
  }

  /** Whether the address is none for a VM: a port's own, a station's, from which control frames come, or a host's. */
  speaksFor(mac: MacAddress): boolean {
    const { stations, configured } = this.#parts;
    return stations.has(mac) || [...this.#macs.values()].includes(mac) || configured.isHostAddress(mac);
  }

  /** The machines hold what the entries say, and reflective relay is as the data plane has it. */
  adopt(held: ReadonlyMap<PortName, RelayPort>): void {
    for (const [name, driver] of this.#ports) {
      const port = held.get(name);
      const on = port?.kind === 'station' && port.reflectiveRelay;
      this.#reflective.set(name, { on, current: false });
      driver.do((machine, now) => {
        machine.adopt(this.#heldAt(name), now);
        return [];
      });
    }
  }

  /** VDP is to hold there what the entry says. */
  adoptVsi(port: PortName, vsiId: VsiId): void {
    this.#ports.get(port)?.do((machine, now) => {
      machine.adopt(
        this.#heldAt(port).filter((held) => held.vsiId === vsiId),
        now,
      );
      return [];
    });
  }

  /** The port's station is told that the VSI's association has ended. */
  deassociate(port: PortName, vsiId: VsiId): void {
    this.#ports.get(port)?.do((machine, now) => machine.deassociate(vsiId, now));
  }

  /** As the data plane is to have them. */
  relayed(): [PortName, RelayPort][] {
    const { configured, book } = this.#parts;
    return Array.from(configured.stations, ([name, { egress }]) => {
      const { on, current } = this.#reflective.get(name) ?? { on: false, current: false };
      const isUsed = current || book.isUsed(name);
      return [name, { kind: 'station', reflectiveRelay: on && isUsed, ...egress }];
    });
  }

  /** Whose place the port is, for the next run. */
  notePlace(port: PortName): void {
    const { station, verified } = this.#ports.get(port)!.machine;
    this.#parts.stations.held(port, { place: station, verified });
  }

  /** The name of whom was met last at the port; null: nobody was yet. */
  stationAt(port: PortName): { readonly name: string | null } | null {
    return this.#parts.stations.at(port);
  }

  /** Who asks at a port. The name of a station that signs is nobody else's: what says it unsigned has none. */
  believed(port: PortName): { readonly name: string | null } {
    const { signing, stations } = this.#parts;
    const station = stations.at(port) ?? nobody;
    const isKeyed = (signing?.keysOf(station.name).length ?? 0) > 0;
    return isKeyed && this.#ports.get(port)?.machine.trust === 'first use' ? nobody : station;
  }

  isSigned(port: PortName): boolean {
    return this.#ports.get(port)?.machine.trust === 'signed';
  }

  /** Since when the VSI is held at the port without its station's keep-alives; null: it is kept alive. */
  heldSince(vsiId: VsiId, port: PortName): Timestamp | null {
    const { clock, timestamp } = this.#parts;
    const since = this.#ports.get(port)?.machine.heldSince(vsiId) ?? null;
    return since === null ? null : timestamp() - Math.round((clock.now() - since) * 1000);
  }

  #handle(port: PortName, output: BridgePortOutput, send: (frame: Uint8Array) => void): void {
    const { book, stations, said, met, log, changed } = this.#parts;
    switch (output.kind) {
      case 'send':
        send(output.frame);
        return;
      case 'request':
      case 'renewed':
      case 'suspended':
      case 'held':
      case 'released':
        said(port, output);
        return;
      case 'evb':
        this.#negotiated(port, output);
        return;
      case 'neighbour':
        if (output.neighbour) met(port, output.neighbour, stations.met(port, output.neighbour));
        changed(null);
        for (const { vsiId } of book.at(port)) changed(vsiId);
        return;
      case 'place':
        this.notePlace(port);
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

  /**
   * What a station negotiates takes effect at once. A station that is gone (its agent restarts) leaves reflective relay as
   * it was for the VSIs it leaves behind: their frames go on.
   */
  #negotiated(port: PortName, { negotiated, reflectiveRelay }: EvbOperation): void {
    const { owe, log, changed } = this.#parts;
    const on = negotiated ? reflectiveRelay : (this.#reflective.get(port)?.on ?? false);
    this.#reflective.set(port, { on, current: negotiated });
    owe(`reflective relay on ${port}`);
    log('info', negotiated ? `reflective relay on ${port} is ${on ? 'on' : 'off'}` : `no station on ${port}`);
    changed(null);
  }

  /** What VDP holds at a port, by the entries. */
  #heldAt(port: PortName): BridgeVsi[] {
    return this.#parts.book.at(port).map((entry) => {
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
    const entry = this.#parts.book.get(vsiId);
    return entry === null || (isReleased(entry, port) && !entry.flip);
  }
}

/** From where nothing is sent: a port without an interface is down. */
export const noAddress = parseMac('00:00:00:00:00:00');

/** Where none was met, there is none that may have what only some may. */
const nobody = { name: null };

function shutdown(driver: StationPort): void {
  driver.do((machine, now) => machine.shutdown(now));
  driver.stop();
}
