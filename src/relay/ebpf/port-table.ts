import { isDeepStrictEqual } from 'node:util';
import { interfaceIndex } from '../../linux/interfaces.ts';
import { SystemError } from '../../linux/libc.ts';
import { hasIngress, type Hook } from '../../linux/tc-program.ts';
import { RelayError, type PortName, type RelayPort } from '../relay.ts';
import type { DataPlane } from './data-plane.ts';
import { Interfaces } from './interfaces.ts';
import { decodeSourceKey, portCount, portTallySize, PortEntry, u32, vlanCount } from './layout.ts';
import { Pool } from './pool.ts';
import { shape, unshape, type Share } from './shaper.ts';

interface HeldPort {
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
    const used = new Set<number>();
    for (let number = 1; number < portCount; number++) {
      const entry = this.#entry(number);
      if (!entry.used) continue;
      used.add(number);
      const [name, port] = entry.decode();
      this.#ports.set(name, { number, entry, port });
      this.#rebind(name, entry, number);
    }
    this.#pool = new Pool('port', portCount, used, grace);
    this.#rebuildNetworkChain();
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

  numbered(): Map<PortName, number> {
    return new Map(Array.from(this.#ports, ([name, { number }]) => [name, number]));
  }

  /** The port that carries a mirror session, 0 if none does. */
  sessionPort(session: string): number {
    for (const { number, port } of this.#ports.values())
      if (port.kind === 'mirror' && port.session === session) return number;
    return 0;
  }

  /**
   * Reserves and attaches what `desired` needs; only then may the change be made.
   * @throws RelayError when an interface is missing or taken, or all port numbers are
   */
  prepare(
    desired: ReadonlyMap<PortName, RelayPort>,
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
    const unshaped = this.#shapeAll(before, shares, undo);
    return {
      changes: removed.length + changed.length > 0,
      removes: removed.length > 0,
      begin: () => {
        for (const port of added) this.#publish(port);
        for (const { entry, port } of changed) restrict(entry, port);
      },
      finish: () => {
        for (const { entry, port } of changed) permit(entry, port);
        const interfaces = new Set(Array.from(this.#ports.values(), ({ entry }) => entry.ifindex));
        for (const held of removed) this.#remove(held, !interfaces.has(held.entry.ifindex));
        for (const name of unshaped) unshape(name);
      },
    };
  }

  /** @throws RelayError when the program cannot be put on the interface */
  rebind(name: PortName): void {
    const held = this.#ports.get(name);
    if (held) this.#rebind(name, held.entry, held.number);
  }

  /** Takes the program off every port. */
  detach(): void {
    for (const [name, { entry, port }] of this.#ports) {
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
      if (!rate || (rate === was && sameShares)) continue;
      shape(name, rate, shares, old);
      undo.defer(() => (was ? shape(name, was, old, shares) : unshape(name)));
    }
    this.#shares = shares;
    undo.defer(() => (this.#shares = old));
    const shaped = (ports: ReadonlyMap<PortName, HeldPort>) =>
      [...ports].filter(([, { port }]) => shaperOf(port)).map(([name]) => name);
    const now = new Set(shaped(this.#ports));
    return shaped(before).filter((name) => !now.has(name));
  }

  #entry(number: number): PortEntry {
    return new PortEntry(this.#plane.ports, number);
  }

  #create(name: PortName, port: RelayPort, replaced: HeldPort | undefined, undo: DisposableStack): HeldPort {
    const ifindex = indexOf(name);
    if (!replaced && hasIngress(ifindex))
      throw new RelayError(`port ${name}: in use; its interface has another tc ingress program already`);
    const number = this.#pool.take();
    const entry = this.#entry(number);
    entry.create(name, ifindex, port);
    undo.defer(() => {
      entry.release();
      this.#pool.putBack(number);
    });
    if (replaced) entry.ownsQdisc = replaced.entry.ownsQdisc;
    else {
      entry.ownsQdisc = this.#attach('ingress', name, ifindex);
      undo.defer(() => this.#plane.detach('ingress', ifindex, entry.ownsQdisc));
    }
    if (port.kind === 'mirror') {
      this.#attach('egress', name, ifindex);
      undo.defer(() => this.#plane.detach('egress', ifindex, false));
    }
    return { number, entry, port };
  }

  #publish({ number, entry, port }: HeldPort): void {
    this.#plane.portTallies.set(u32(number), new Uint8Array(portTallySize * this.#plane.cpus));
    if (port.kind === 'network') {
      entry.next = this.#entry(0).next;
      this.#entry(0).next = number;
    }
    this.#interfaces.set(entry.ifindex, number);
  }

  #remove({ number, entry, port }: HeldPort, withProgram: boolean): void {
    if (port.kind === 'mirror') this.#plane.detach('egress', entry.ifindex, false);
    if (withProgram) {
      this.#interfaces.delete(entry.ifindex);
      this.#plane.detach('ingress', entry.ifindex, entry.ownsQdisc);
    }
    this.#unchain(number);
    entry.release();
    for (const key of this.#plane.strangers.keys())
      if (decodeSourceKey(key).port === number) this.#plane.strangers.delete(key);
    if (port.kind === 'network') this.#plane.forgetLearnedAt(number);
    this.#pool.retire(number);
  }

  #unchain(number: number): void {
    for (let at = this.#entry(0); at.next; at = this.#entry(at.next))
      if (at.next === number) {
        at.next = this.#entry(number).next;
        return;
      }
  }

  /** A process may have ended between two stores; network ports are few, so that the chain is simply made anew. */
  #rebuildNetworkChain(): void {
    let next = 0;
    for (const { number, port, entry } of this.#ports.values()) {
      if (port.kind !== 'network') continue;
      entry.next = next;
      next = number;
    }
    this.#entry(0).next = next;
  }

  /** An interface that is gone stays a port that receives nothing; one that came back is bound anew. */
  #rebind(name: PortName, entry: PortEntry, number: number): void {
    let ifindex: number;
    try {
      ifindex = interfaceIndex(name);
    } catch (error) {
      if (error instanceof SystemError) return;
      throw error;
    }
    if (ifindex !== entry.ifindex) {
      this.#plane.detach('ingress', entry.ifindex, false); // its interface is gone; the pin goes as well
      this.#interfaces.delete(entry.ifindex);
      entry.ifindex = ifindex;
      if (entry.shaper) shape(name, entry.shaper, this.#shares, []);
    }
    const made = this.#attach('ingress', name, ifindex);
    if (entry.decode()[1].kind === 'mirror') this.#attach('egress', name, ifindex);
    entry.ownsQdisc ||= made;
    this.#interfaces.set(ifindex, number);
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

function indexOf(name: PortName): number {
  try {
    return interfaceIndex(name);
  } catch (error) {
    if (error instanceof SystemError) throw new RelayError(`port ${name}: no such network interface`);
    throw error;
  }
}

/** bits per second, 0: none */
function shaperOf(port: RelayPort): number {
  return port.kind === 'mirror' ? 0 : (port.shaper ?? 0);
}

/** Takes from the port what it may no longer do. */
function restrict(entry: PortEntry, port: RelayPort): void {
  if (port.kind === 'station' && !port.reflectiveRelay) entry.reflects = false;
  if (port.kind !== 'network') return;
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
    entry.peerDelivery = port.peerDelivery === true;
  }
  if (port.kind !== 'network') return;
  entry.nativeVlan = port.nativeVlan ?? 0;
  for (const vlan of port.vlans) if (!entry.carries(vlan)) entry.carry(vlan, true);
}
