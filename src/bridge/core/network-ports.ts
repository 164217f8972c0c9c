import type { Vid } from '../../domain/vid.ts';
import type { PortName, RelayPort, RelayState } from '../../relay/contract/relay.ts';

type NetworkPorts = RelayState['networkPorts'];

/**
 * Which network port is active in each VLAN: the one that was, while its link is up; else the first, in the order of the
 * configuration, that carries the VLAN and is up. So one that comes back takes nothing over, and a link that flaps moves
 * the traffic once. Where none is up nothing moves: the one that was active goes on as soon as its link is up again, with or
 * without an agent.
 */
export function activeNetworkPorts(
  ports: ReadonlyMap<PortName, RelayPort>,
  isUp: (port: PortName) => boolean,
  before: NetworkPorts = new Map(),
): NetworkPorts {
  const active = new Map<Vid, PortName>();
  for (const [name, port] of ports)
    for (const vlan of vlansOf(port)) {
      const other = active.get(vlan);
      const was = before.get(vlan);
      const isBetter = other === undefined || (isUp(name) === isUp(other) ? name === was : isUp(name));
      if (isBetter) active.set(vlan, name);
    }
  return active;
}

/** The VLANs that a port carries, the native one first; none if it is no network port. */
export function vlansOf(port: RelayPort): readonly Vid[] {
  if (port.kind !== 'network') return [];
  return port.nativeVlan === null ? port.vlans : [port.nativeVlan, ...port.vlans];
}

/** The VLANs that a network port has taken over from another one, by the port. */
export function takenOver(before: NetworkPorts, after: NetworkPorts): ReadonlyMap<PortName, readonly Vid[]> {
  const taken = new Map<PortName, Vid[]>();
  for (const [vlan, name] of after) {
    const was = before.get(vlan);
    if (was === undefined || was === name) continue;
    taken.set(name, [...(taken.get(name) ?? []), vlan]);
  }
  return taken;
}
