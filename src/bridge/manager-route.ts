import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import { Invalid } from '../base/invalid.ts';
import { interfaceTowards, stackedLinks, type StackedLink } from '../linux/net/route.ts';
import { CommandError } from '../linux/run.ts';

/** What matters here of a port's configuration. */
export type PortAccess =
  | { readonly kind: 'station' | 'mirror' }
  | {
      readonly kind: 'network';
      readonly nativeVlan?: number | undefined;
      readonly hostVlan?: number | undefined;
    };

type Ports = Readonly<Record<string, PortAccess>>;

/** A port that keeps frames from an interface of the switch's own. */
export interface ClosedPort {
  readonly port: string;
  /** the VLAN in which the interface wants them; null: untagged, and no VLAN is native */
  readonly vlan: number | null;
}

/**
 * The port that keeps what the manager answers from the interface by which it is asked, null if none does. A VLAN
 * interface hears frames of its own tag on what it stands on; a bridge, bond or team hears its members, of which it is
 * closed if all are.
 */
export function closedPort(name: string, links: readonly StackedLink[], ports: Ports): ClosedPort | null {
  return closed(name, null, links, ports);
}

function closed(
  name: string,
  tag: number | null,
  links: readonly StackedLink[],
  ports: Ports,
): ClosedPort | null {
  const port = ports[name];
  if (port) {
    const vlan = tag ?? (port.kind === 'network' ? (port.nativeVlan ?? null) : null);
    const isOpen = port.kind === 'network' && vlan !== null && port.hostVlan === vlan;
    return isOpen ? null : { port: name, vlan };
  }
  const link = links.find((one) => one.name === name);
  if (link?.lower) return closed(link.lower, link.vlan ?? tag, links, ports);
  const members = links.filter(({ master }) => master === name);
  // what a port's program lets through still has to pass the bridge; that it is a port is enough to know
  const found = members.map((member) => closed(member.name, tag, links, ports));
  return found.length && found.every((one) => one !== null) ? (found[0] ?? null) : null;
}

/**
 * Looks before anything is closed; a manager that cannot be found now is no reason not to start.
 * @throws Invalid when the manager's answers would not come through a port
 */
export async function checkRouteToManager(
  manager: string,
  ports: Ports,
  warn: (message: string) => void,
): Promise<void> {
  if (manager.startsWith('unix:')) return;
  const host = new URL(manager).hostname.replace(/^\[(.*)\]$/, '$1');
  try {
    const addresses = isIP(host) ? [host] : (await lookup(host, { all: true })).map(({ address }) => address);
    const links = await stackedLinks();
    for (const address of addresses) {
      const name = await interfaceTowards(address);
      const found = name === null ? null : closedPort(name, links, ports);
      if (found) throw new Invalid(`manager: ${address} is reached by ${name}, ${refusal(found, ports)}`);
    }
  } catch (error) {
    if (error instanceof Invalid) throw error;
    if (!(error instanceof CommandError || (error as NodeJS.ErrnoException).syscall === 'getaddrinfo'))
      throw error;
    warn(`whether a port would close the way to the manager is not known: ${(error as Error).message}`);
  }
}

function refusal({ port, vlan }: ClosedPort, ports: Ports): string {
  const { kind } = ports[port]!;
  const what = `and ${kind} port ${port} would keep its answers from this machine`;
  if (kind !== 'network') return `${what}; a way by an interface that is no ${kind} port would be right`;
  const vid = vlan ?? 'VID';
  return `${what}; hostVlan: ${vid} at ports.${port}${vlan === null ? ', which is its nativeVlan,' : ''} would be right`;
}
