import { isDeepStrictEqual } from 'node:util';
import type { Vid } from '../../../domain/vid.ts';
import { interfaceIndex, interfaceMtu, interfaceName } from '../../../linux/net/interfaces.ts';
import { SystemError } from '../../../linux/libc.ts';
import { hasIngress, type Hook } from '../../../linux/bpf/tc-program.ts';
import { RelayError, type PortName, type RelayPort, type RelayState } from '../../contract/relay.ts';
import type { DataPlane } from '../memory/data-plane.ts';
import { Interfaces } from '../memory/interfaces.ts';
import { decodeSourceKey, portCount, portTallySize, PortEntry, u32, vlanCount } from '../memory/layout.ts';
import { NetworkPortTable } from './network-ports.ts';
import { checkPeers } from '../peer.ts';
import { Pool } from './pool.ts';
import { shape, shapedInterfaces, unshape, type Share } from '../shaper.ts';

interface HeldPort {
  readonly name: PortName;
  readonly number: number;
  readonly entry: PortEntry;
  readonly port: RelayPort;
}

/** A change of the ports, in the three steps that go before, between and after the change of the VSIs. */
export interface PortChange {
  /** whether any port is to be another than it was */
  readonly changes: boolean;
  /** whether a port goes or becomes another kind of port */
  readonly removes: boolean;
  /** Makes new ports known and takes from old ones what they may no longer do. */
  begin(): void;
  /** Gives the ports what they may do now, and removes those that are no more. */
  finish(): void;
}

/** The driver's ports: names and numbers, and the program on each interface. */
export class PortTable {
  readonly #plane: DataPlane;
  readonly #pool: Pool;
  readonly #interfaces: Interfaces;
  readonly #networkPorts: NetworkPortTable;
  readonly #ports = new Map<PortName, HeldPort>();
  #shares: readonly Share[];

  /**
   * Takes over the ports that the data plane holds, and puts this program in the place of the one before. `shares`: of
   * the tenants at ports with a shaper.
   */
  constructor(plane: DataPlane, shares: readonly Share[], grace: () => void) {
    this.#plane = plane;
    this.#shares = shares;
    this.#interfaces = new Interfaces(plane.interfaces, plane.portOf);
    this.#networkPorts = new NetworkPortTable(plane.networkPorts);
    const used = new Set<number>();
    const doubles: HeldPort[] = [];
    for (let number = 1; number < portCount; number++) {
      const entry = this.#entry(number);
      if (!entry.used) continue;
      used.add(number);
      const [name, port] = entry.decode();
      const held = { name, number, entry, port };
      const other = this.#ports.get(name);
      const isIt = !other || this.#interfaces.portAt(entry.ifindex) === number;
      if (other) doubles.push(isIt ? other : held);
      if (isIt) this.#ports.set(name, held);
    }
    this.#pool = new Pool('port', portCount, used, grace);
    // the process before ended while these became another kind of port
    for (const held of doubles) this.#remove(held, false);
    const shaped = shapedInterfaces();
    for (const [name, held] of this.#ports)
      if (this.#bind(held) && (shaperOf(held.port) || shaped.has(name))) this.#shape(held);
  }

  /** @throws TypeError for a port that was not checked to be there */
  number(name: PortName): number {
    return this.#ports.get(name)!.number;
  }

  nameOf(number: number): PortName | null {
    const entry = this.#entry(number);
    return entry.used ? entry.decode()[0] : null;
  }

  isStation(name: PortName): boolean {
    return this.#ports.get(name)?.port.kind === 'station';
  }

  entry(name: PortName): PortEntry {
    return this.#ports.get(name)!.entry;
  }

  held(): Map<PortName, RelayPort> {
    return new Map(Array.from(this.#ports.values(), ({ entry }) => entry.decode()));
  }

  heldNetworkPorts(): RelayState['networkPorts'] {
    return this.#networkPorts.held((number) => this.nameOf(number));
  }

  numbered(): Map<PortName, number> {
    return new Map(Array.from(this.#ports, ([name, { number }]) => [name, number]));
  }

  /** The interface of the VLAN's active network port, and whether its frames leave there with its tag; null: there is none. */
  networkPort(vlan: Vid): { readonly ifindex: number; readonly tagged: boolean } | null {
    const number = this.#networkPorts.numberOf(vlan);
    const { ifindex, nativeVlan } = this.#entry(number);
    return number && ifindex ? { ifindex, tagged: nativeVlan !== vlan } : null;
  }

  /** The port that carries a mirror session, 0 if none does. */
  sessionPort(session: string): number {
    for (const { number, port } of this.#ports.values())
      if (port.kind === 'mirror' && port.session === session) return number;
    return 0;
  }

  /**
   * Reserves and attaches what `desired` needs; only then may the change be made.
   * @throws RelayError when an interface is taken, or all port numbers are
   */
  prepare(
    desired: ReadonlyMap<PortName, RelayPort>,
    networkPorts: RelayState['networkPorts'],
    shares: readonly Share[],
    undo: DisposableStack,
  ): PortChange {
    const before = new Map(this.#ports);
    const added: HeldPort[] = [];
    const changed: HeldPort[] = [];
    const removed: HeldPort[] = [];
    for (const [name, held] of before) {
      const port = desired.get(name);
      if (port?.kind === held.port.kind) continue;
      removed.push(held);
      this.#ports.delete(name);
    }
    undo.defer(() => {
      this.#ports.clear();
      for (const [name, held] of before) this.#ports.set(name, held);
    });
    for (const [name, port] of desired) {
      const held = this.#ports.get(name);
      if (held && isDeepStrictEqual(held.port, port)) continue;
      const next = held ? { ...held, port } : this.#create(name, port, before.get(name), undo);
      if (!held) added.push(next);
      changed.push(next);
      this.#ports.set(name, next);
    }
    checkPeers(newlyToPeers(desired, before));
    const unshaped = this.#shapeAll(before, shares, undo);
    const changes = removed.length + changed.length > 0;
    return {
      changes,
      removes: removed.length > 0,
      begin: () => {
        if (changes) this.#networkPorts.release((number, vlan) => this.#sendsAlike(number, vlan, desired));
        for (const port of added) this.#publish(port);
        for (const { entry, port } of changed) restrict(entry, port);
      },
      finish: () => {
        for (const { entry, port } of changed) permit(entry, port);
        this.#networkPorts.apply(networkPorts, !changes, (name) => this.number(name));
        for (const name of unshaped) unshape(name);
        const interfaces = new Set(Array.from(this.#ports.values(), ({ entry }) => entry.ifindex));
        for (const held of removed) this.#remove(held, !interfaces.has(held.entry.ifindex));
      },
    };
  }

  /** @throws RelayError when the program cannot be put on the interface */
  rebind(name: PortName): void {
    const held = this.#ports.get(name);
    if (!held) return;
    const before = held.entry.ifindex;
    if (!this.#bind(held)) return;
    this.#shape(held);
    // where interfaces exchanged their names, the other port's frames would be this one's until it is told as well
    const other = before ? this.#namedOf(before) : undefined;
    if (other && other.entry.ifindex !== before) this.rebind(other.name);
  }

  /** Takes the program off every port. */
  detach(): void {
    for (const [name, { entry, port }] of this.#ports) {
      if (!entry.ifindex) continue;
      if (shaperOf(port)) unshape(name);
      if (port.kind === 'mirror') this.#plane.detach('egress', entry.ifindex, false);
      this.#plane.detach('ingress', entry.ifindex, entry.ownsQdisc);
    }
  }

  /** Shapes what is to be shaped; returns the ports that are not any more. */
  #shapeAll(
    before: ReadonlyMap<PortName, HeldPort>,
    shares: readonly Share[],
    undo: DisposableStack,
  ): PortName[] {
    const old = this.#shares;
    const sameShares = isDeepStrictEqual(old, shares);
    for (const [name, { port }] of this.#ports) {
      const rate = shaperOf(port);
      const held = before.get(name);
      const was = held ? shaperOf(held.port) : 0;
      if (!rate || (rate === was && sameShares) || indexIfThere(name) === null) continue;
      shape(name, rate, shares);
      undo.defer(() => (was ? shape(name, was, old) : unshape(name)));
    }
    this.#shares = shares;
    undo.defer(() => (this.#shares = old));
    const shaped = (ports: ReadonlyMap<PortName, HeldPort>) =>
      [...ports].filter(([, { port }]) => shaperOf(port)).map(([name]) => name);
    const now = new Set(shaped(this.#ports));
    return shaped(before).filter((name) => !now.has(name));
  }

  /** Whether a network port will send the VLAN's frames as it does now. */
  #sendsAlike(number: number, vlan: number, desired: ReadonlyMap<PortName, RelayPort>): boolean {
    const entry = this.#entry(number);
    const port = desired.get(entry.decodeName());
    if (port?.kind !== 'network') return false;
    return entry.nativeVlan === vlan ? port.nativeVlan === vlan : port.vlans.some((one) => one === vlan);
  }

  #entry(number: number): PortEntry {
    return new PortEntry(this.#plane.ports, number);
  }

  /** An interface that is missing is bound when it comes. */
  #create(name: PortName, port: RelayPort, replaced: HeldPort | undefined, undo: DisposableStack): HeldPort {
    const ifindex = indexIfThere(name) ?? 0;
    if (ifindex && !replaced) checkFree(name, ifindex);
    const number = this.#pool.take();
    const entry = this.#entry(number);
    entry.create(name, ifindex, port);
    entry.longest = longestAt(name);
    undo.defer(() => {
      entry.release();
      this.#pool.putBack(number);
    });
    if (!ifindex) return { name, number, entry, port };
    if (replaced?.entry.ifindex === ifindex) entry.ownsQdisc = replaced.entry.ownsQdisc;
    else {
      entry.ownsQdisc = this.#attach('ingress', name, ifindex);
      undo.defer(() => this.#plane.detach('ingress', ifindex, entry.ownsQdisc));
    }
    if (port.kind === 'mirror') {
      this.#attach('egress', name, ifindex);
      undo.defer(() => this.#plane.detach('egress', ifindex, false));
    }
    return { name, number, entry, port };
  }

  #publish({ number, entry }: HeldPort): void {
    this.#plane.portTallies.set(u32(number), new Uint8Array(portTallySize * this.#plane.cpus));
    if (entry.ifindex) this.#interfaces.set(entry.ifindex, number);
  }

  #remove({ number, entry, port }: HeldPort, withProgram: boolean): void {
    if (port.kind === 'mirror' && entry.ifindex) this.#plane.detach('egress', entry.ifindex, false);
    if (withProgram && entry.ifindex) {
      this.#interfaces.delete(entry.ifindex);
      this.#plane.detach('ingress', entry.ifindex, entry.ownsQdisc);
    }
    this.#networkPorts.release((other) => other !== number);
    entry.release();
    for (const key of this.#plane.strangers.keys())
      if (decodeSourceKey(key).port === number) this.#plane.strangers.delete(key);
    if (port.kind === 'network') this.#plane.forgetHeardAt(number);
    this.#pool.retire(number);
  }

  /**
   * An interface that is gone stays a port that receives nothing; one that came back is bound anew.
   * @returns whether it is there
   */
  #bind({ name, number, entry, port }: HeldPort): boolean {
    const ifindex = indexIfThere(name);
    if (ifindex === null) return false;
    if (!entry.ifindex && !this.#interfaces.portAt(ifindex)) {
      checkFree(name, ifindex);
      if (deliversToPeer(port)) checkPeers([name]);
    }
    const made = this.#attach('ingress', name, ifindex);
    if (port.kind === 'mirror') this.#attach('egress', name, ifindex);
    const { ifindex: before, ownsQdisc } = entry;
    entry.ifindex = ifindex;
    entry.longest = longestAt(name);
    entry.ownsQdisc = made || (ifindex === before && ownsQdisc);
    this.#interfaces.set(ifindex, number);
    if (before && ifindex !== before) {
      this.#leave(before, port, ownsQdisc);
      if (port.kind === 'network') this.#plane.forgetHeardAt(number);
    }
    return true;
  }

  /** The interface that the port was on is gone, or somebody else's by now; what was pinned for it goes. */
  #leave(ifindex: number, port: RelayPort, ownsQdisc: boolean): void {
    const heir = this.#namedOf(ifindex);
    if (port.kind === 'mirror' && heir?.port.kind !== 'mirror') this.#plane.detach('egress', ifindex, false);
    if (heir) return;
    this.#interfaces.delete(ifindex);
    this.#plane.detach('ingress', ifindex, ownsQdisc);
  }

  /** The port that the interface has the name of. */
  #namedOf(ifindex: number): HeldPort | undefined {
    return this.#ports.get(interfaceName(ifindex) ?? '');
  }

  /** As it is held to be. */
  #shape({ name, port }: HeldPort): void {
    const rate = shaperOf(port);
    if (rate) shape(name, rate, this.#shares);
    else unshape(name);
  }

  #attach(hook: Hook, name: PortName, ifindex: number): boolean {
    try {
      return this.#plane.attach(hook, ifindex, name);
    } catch (error) {
      if (error instanceof SystemError) throw new RelayError(`port ${name}: ${error.message}`);
      throw error;
    }
  }
}

/** @throws RelayError for an interface that has somebody else's program */
function checkFree(name: PortName, ifindex: number): void {
  if (hasIngress(ifindex))
    throw new RelayError(`port ${name}: in use; its interface has another tc ingress program already`);
}

const ethernetHeader = 14;

/** Octets of a frame without its tag; 0 where the interface has gone again. */
function longestAt(name: PortName): number {
  try {
    return interfaceMtu(name) + ethernetHeader;
  } catch (error) {
    if (error instanceof SystemError) return 0;
    throw error;
  }
}

function indexIfThere(name: PortName): number | null {
  try {
    return interfaceIndex(name);
  } catch (error) {
    if (error instanceof SystemError) return null;
    throw error;
  }
}

/** bits per second, 0: none */
function shaperOf(port: RelayPort): number {
  return port.kind === 'mirror' ? 0 : (port.shaper ?? 0);
}

/** The ports that are to deliver to their peers and have not before. */
function newlyToPeers(
  desired: ReadonlyMap<PortName, RelayPort>,
  held: ReadonlyMap<PortName, HeldPort>,
): PortName[] {
  const names = [...desired].filter(([, port]) => deliversToPeer(port)).map(([name]) => name);
  return names.filter((name) => !deliversToPeer(held.get(name)?.port) && indexIfThere(name) !== null);
}

function deliversToPeer(port: RelayPort | undefined): boolean {
  return port !== undefined && port.kind !== 'mirror' && port.peerDelivery === true;
}

/** Takes from the port what it may no longer do. */
function restrict(entry: PortEntry, port: RelayPort): void {
  if (port.kind === 'station' && !port.reflectiveRelay) entry.reflects = false;
  if (port.kind !== 'network') return;
  if (!isDeepStrictEqual(entry.host, port.host)) entry.host = undefined;
  if (entry.nativeVlan !== (port.nativeVlan ?? 0)) entry.nativeVlan = 0;
  const vlans = new Set<number>(port.vlans);
  for (let vlan = 1; vlan < vlanCount; vlan++)
    if (!vlans.has(vlan) && entry.carries(vlan)) entry.carry(vlan, false);
}

/** Lets the port do what it may do now. */
function permit(entry: PortEntry, port: RelayPort): void {
  if (port.kind === 'station' && port.reflectiveRelay) entry.reflects = true;
  if (port.kind === 'mirror') entry.session = port.session;
  else {
    entry.shaper = shaperOf(port);
    entry.peerDelivery = deliversToPeer(port);
  }
  if (port.kind !== 'network') return;
  if (!isDeepStrictEqual(entry.host, port.host)) entry.host = port.host;
  entry.nativeVlan = port.nativeVlan ?? 0;
  for (const vlan of port.vlans) if (!entry.carries(vlan)) entry.carry(vlan, true);
}
