import type { Link } from '../linux/net/links.ts';

/** An interface that VMs' frames pass. */
export interface VmInterface {
  readonly index: number;
  readonly name: string;
  readonly kind: string;
  /** The VM's frames leave by it, as by a macvtap; or enter the host by it, as by a bridge's tap. */
  readonly vmSends: 'egress' | 'ingress';
}

/** What stands on an uplink in the host's own network namespace. */
export interface AboveUplink {
  /** Whatever VMs say passes its egress: the uplink, or what it is a member of. */
  readonly trunk: Link;
  readonly vms: readonly VmInterface[];
  /** the indexes of all interfaces that others may stand on */
  readonly bases: ReadonlySet<number>;
}

/** Each has an address of its own, for a VM; what it sends leaves by the interface it stands on. */
const ofVms = new Set(['macvlan', 'macvtap', 'ipvlan', 'ipvtap']);
/** A VM is behind it if it is a member of the bridge that the uplink is a member of. */
const behindBridge = new Set(['tun', 'veth']);
/** They pass the frames of what stands on them to the interface that they stand on. */
const between = new Set(['vlan', 'macsec']);

/** Null while there is no such uplink. A veth's `lower` is its peer, so kinds decide. */
export function aboveUplink(links: Iterable<Link>, uplink: string): AboveUplink | null {
  const all = [...links];
  const byIndex = new Map(all.map((link) => [link.index, link]));
  let trunk = all.find(({ name }) => name === uplink);
  if (!trunk) return null;
  const path = new Set<number>([trunk.index]);
  for (let master; (master = byIndex.get(trunk.master ?? 0)) && !path.has(master.index); trunk = master)
    path.add(master.index);
  const bases = new Set(path);
  for (let size = 0; size < bases.size;) {
    size = bases.size;
    for (const { index, kind, lower } of all)
      if (kind !== null && between.has(kind) && lower?.namespace === null && bases.has(lower.index))
        bases.add(index);
  }
  const vms = all.flatMap(({ index, name, kind, lower, master }): VmInterface[] => {
    if (kind === null) return [];
    if (ofVms.has(kind) && lower?.namespace === null && bases.has(lower.index))
      return [{ index, name, kind, vmSends: 'egress' }];
    const isMember = master !== null && path.has(master) && byIndex.get(master)?.kind === 'bridge';
    if (behindBridge.has(kind) && isMember && !path.has(index))
      return [{ index, name, kind, vmSends: 'ingress' }];
    return [];
  });
  return { trunk, vms, bases };
}

/** What stands on these interfaces of another namespace, which this one calls `number`. */
export function aboveFromElsewhere(
  links: Iterable<Link>,
  number: number,
  bases: ReadonlySet<number>,
): VmInterface[] {
  return [...links].flatMap(({ index, name, kind, lower }): VmInterface[] =>
    kind !== null && ofVms.has(kind) && lower?.namespace === number && bases.has(lower.index)
      ? [{ index, name, kind, vmSends: 'egress' }]
      : [],
  );
}
