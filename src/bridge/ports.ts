import type { MacAddress } from '../domain/mac-address.ts';
import { interfaceAddress, interfaceIndex, interfaceMtu, interfaceRuns } from '../linux/net/interfaces.ts';
import { SystemError } from '../linux/libc.ts';
import type { LinkChange } from '../linux/net/link-monitor.ts';
import { etherTypeFilter, PacketSocket } from '../linux/net/packet-socket.ts';
import { controlEtherTypes, groupAddresses } from '../protocol/ethernet.ts';
import { RelayError, type PortName, type RelayPort } from '../relay/contract/relay.ts';
import { differingMtus } from './core/mtus.ts';
import type { PortLink } from './core/port-link.ts';

export interface PortsParts {
  /** Puts the data plane on the interface that has the port's name now. @throws RelayError */
  readonly rebind: (port: PortName) => void;
  /** gets what a listener throws */
  readonly failed: (error: unknown) => void;
  readonly log: (level: 'info' | 'warn', message: string) => void;
}

/** Who is told of the ports: the agent. The same may be said twice. */
export interface PortListener {
  linkChanged(port: PortName, link: PortLink): void;
  addressChanged(port: PortName, mac: MacAddress): void;
  /** a control frame came in at a station port */
  receive(port: PortName, frame: Uint8Array): void;
}

/** A port as it was found last. */
interface OpenPort {
  readonly name: PortName;
  readonly hears: boolean;
  /** of the interface that it is bound to; null: of none */
  index: number | null;
  link: PortLink;
  mac: MacAddress | undefined;
  /** octets behind the Ethernet header */
  mtu: number | undefined;
  socket: PacketSocket | null;
}

/**
 * The interfaces of the bridge's ports, and the agent's sockets at station ports. A port need not have an interface: the one
 * that comes under its name is bound, and one that is made anew is bound again. Whatever is told of an interface, the
 * kernel is asked how it is now.
 */
export class Ports {
  readonly #parts: PortsParts;
  readonly #ports = new Map<PortName, OpenPort>();
  #listener: PortListener | null = null;

  constructor(parts: PortsParts) {
    this.#parts = parts;
  }

  /** Opens a port. Its first interface is the data plane's to bind, when the port is applied. @throws SystemError without rights */
  add(name: PortName, kind: RelayPort['kind']): void {
    const hears = kind === 'station';
    const port: OpenPort = {
      name,
      hears,
      index: null,
      link: 'missing',
      mac: undefined,
      mtu: undefined,
      socket: null,
    };
    this.#ports.set(name, port);
    const found = interfaceNow(name);
    if (!found) this.#parts.log('warn', `${name} has no interface yet; it is bound when it comes`);
    else {
      if (hears) this.#listen(port);
      Object.assign(port, found);
    }
    this.#tell(port);
  }

  /** Closes a port; the data plane lets go of it when it is applied without. */
  remove(name: PortName): void {
    this.#ports.get(name)?.socket?.close();
    this.#ports.delete(name);
  }

  linkOf(name: PortName): PortLink {
    return this.#ports.get(name)?.link ?? 'missing';
  }

  /** Undefined: it has no interface. */
  macOf(name: PortName): MacAddress | undefined {
    return this.#ports.get(name)?.mac;
  }

  /** Octets behind the Ethernet header; undefined: it has no interface. */
  mtuOf(name: PortName): number | undefined {
    return this.#ports.get(name)?.mtu;
  }

  /** Hands over what waits to be read at a station port. */
  drain(name: PortName): void {
    const socket = this.#ports.get(name)?.socket;
    if (this.#listener) socket?.drain((frame) => this.#listener!.receive(name, frame));
  }

  /** A port that is down drops it. */
  send(name: PortName, frame: Uint8Array): void {
    this.#ports.get(name)?.socket?.send(frame);
  }

  /** Tells of all ports as they are, and from now on of what changes and comes in. */
  start(listener: PortListener): void {
    this.#listener = listener;
    for (const port of this.#ports.values()) {
      this.#tell(port);
      if (port.socket) this.#hear(port);
    }
    this.#compareMtus();
  }

  /** What the kernel told of a link. */
  changed({ index, name, runs }: LinkChange): void {
    for (const port of this.#ports.values()) {
      if (port.name !== name && port.index !== index) continue;
      // it may be up again already, but it was down
      if (!runs && port.index === index && port.link === 'up') {
        port.link = 'down';
        this.#tell(port);
      }
      this.#look(port);
    }
  }

  close(): void {
    for (const name of this.#ports.keys()) this.remove(name);
  }

  #look(port: OpenPort): void {
    const found = interfaceNow(port.name);
    const before = port.index;
    if (!found) {
      Object.assign(port, { index: null, link: 'missing' });
      if (before !== null) this.#parts.log('warn', `the interface of ${port.name} is gone`);
    } else if (found.index === before || this.#bind(port, found.index)) {
      const isOther = found.mtu !== port.mtu;
      Object.assign(port, found);
      if (isOther && found.index === before) this.#measure(port);
      if (isOther) this.#compareMtus();
    }
    this.#tell(port);
  }

  /** Binds the port to an interface that is another than before; tells of it as down, what was up is gone. */
  #bind(port: OpenPort, index: number): boolean {
    const { name, index: before } = port;
    if (port.link === 'up') {
      port.link = 'down';
      this.#tell(port);
    }
    try {
      this.#parts.rebind(name);
      if (port.hears) this.#listen(port);
      this.#parts.log('info', `the interface of ${name} ${before === null ? 'came' : 'was made anew'}`);
      return true;
    } catch (error) {
      if (!(error instanceof RelayError || error instanceof SystemError)) throw error;
      // it may be gone again, which is told next
      Object.assign(port, { index: null, link: interfaceNow(name)?.index === index ? 'unbound' : 'missing' });
      this.#parts.log('warn', `${name} cannot be bound: ${error.message}`);
      return false;
    }
  }

  /** The data plane reads the MTU of an interface when it binds it. */
  #measure({ name, mtu }: OpenPort): void {
    this.#parts.log('info', `${name} has MTU ${mtu} now`);
    try {
      this.#parts.rebind(name);
    } catch (error) {
      if (!(error instanceof RelayError || error instanceof SystemError)) throw error;
      this.#parts.log('warn', `${name} cannot be bound: ${error.message}`);
    }
  }

  /** Frames that one port takes in and another cannot send are dropped, which is better known before. */
  #compareMtus(): void {
    const difference = differingMtus([...this.#ports.values()]);
    if (difference) this.#parts.log('warn', difference);
  }

  #listen(port: OpenPort): void {
    if (port.socket) {
      port.socket.bind();
      return;
    }
    port.socket = new PacketSocket(port.name, {
      filter: etherTypeFilter(controlEtherTypes),
      groups: groupAddresses,
    });
    if (this.#listener) this.#hear(port);
  }

  #hear({ name, socket }: OpenPort): void {
    socket!.listen((frame) => this.#listener!.receive(name, frame), this.#parts.failed);
  }

  #tell({ name, link, mac }: OpenPort): void {
    if (mac !== undefined) this.#listener?.addressChanged(name, mac);
    this.#listener?.linkChanged(name, link);
  }
}

/** Null: no interface has the name. */
function interfaceNow(
  name: PortName,
): (Pick<OpenPort, 'link' | 'mac' | 'mtu'> & { readonly index: number }) | null {
  try {
    const index = interfaceIndex(name);
    const [mac, mtu] = [interfaceAddress(name), interfaceMtu(name)];
    return { index, link: interfaceRuns(name) ? 'up' : 'down', mac, mtu };
  } catch (error) {
    if (error instanceof SystemError) return null;
    throw error;
  }
}
