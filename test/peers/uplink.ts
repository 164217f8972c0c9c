import { ip, run } from '../../src/linux/run.ts';

export const uplink = 'up0';
const cable = 'wire0';

/**
 * Cables a host's uplink to a new port in the switch's namespace. The uplink is an ifb, whose frames tc hands to the
 * veth and back: libvirt looks for the physical device below the uplink by IFLA_LINK, and where that is a veth it
 * finds an index of another namespace.
 */
export async function plugUplink(host: string, bridge: string, port: string): Promise<void> {
  await ip(bridge, [`link add ${port} type veth peer name ${cable} netns ${host}`, `link set ${port} up`]);
  await ip(host, [
    `link add ${uplink} type ifb`,
    `link set ${uplink} arp on multicast on up`,
    `link set ${cable} promisc on up`,
  ]);
  const redirect = (to: string) => `protocol all u32 match u32 0 0 action mirred ${to}`;
  const rules = [
    `qdisc add dev ${uplink} clsact`,
    `qdisc add dev ${cable} clsact`,
    `filter add dev ${uplink} egress ${redirect(`egress redirect dev ${cable}`)}`,
    `filter add dev ${cable} ingress ${redirect(`ingress redirect dev ${uplink}`)}`,
  ];
  await run('tc', ['-n', host, '-batch', '-'], `${rules.join('\n')}\n`);
}

/** Tells those who listen that the uplink runs: an ifb says nothing of its operational state, and lldpad waits for it. */
export async function raiseUplink(host: string): Promise<void> {
  await ip(host, [`link set ${uplink} down`, `link set ${uplink} up`, `link set ${uplink} state up`]);
}

/**
 * Uses up the interface indexes below `index`. A macvtap's device is /dev/tapINDEX: the index is the namespace's, the
 * name everybody's, and libvirt opens it by name.
 */
export async function skipIndexes(namespace: string, index: number): Promise<void> {
  const used = Array.from({ length: index }, (_, i) => `link add skip${i} group 99 type bridge`);
  await ip(namespace, [...used, 'link delete group 99']);
}
