import { ip, run } from '../../../src/linux/run.ts';
import { etherTypes } from '../../../src/domain/packet-numbers.ts';

export const uplink = 'up0';
const cable = 'wire0';
const sink = 'sink0';

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
  await tc(host, [
    `qdisc add dev ${uplink} clsact`,
    `qdisc add dev ${cable} clsact`,
    `filter add dev ${uplink} egress protocol all ${redirect(`egress redirect dev ${cable}`)}`,
    `filter add dev ${cable} ingress protocol all ${redirect(`ingress redirect dev ${uplink}`)}`,
  ]);
}

/** A filter of every frame. */
function redirect(to: string): string {
  return `u32 match u32 0 0 action mirred ${to}`;
}

async function tc(namespace: string, lines: readonly string[]): Promise<void> {
  await run('tc', ['-n', namespace, '-batch', '-'], `${lines.join('\n')}\n`);
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

/** Loses what the host's station says by ECP, until the returned function is called; what VMs send is not touched. */
export async function loseEcp(host: string): Promise<() => Promise<void>> {
  await ip(host, [`link add ${sink} type bridge`, `link set ${sink} up`]); // without ports: it drops what it gets
  const filters = [etherTypes.ecp, etherTypes.draftEcp].map((etherType, i) => ({
    add: `filter add dev ${uplink} egress pref ${i + 1} protocol ${etherType} ${redirect(`egress redirect dev ${sink}`)}`,
    remove: `filter del dev ${uplink} egress pref ${i + 1}`,
  }));
  await tc(
    host,
    filters.map(({ add }) => add),
  );
  return async () => {
    await tc(
      host,
      filters.map(({ remove }) => remove),
    );
    await ip(host, [`link delete ${sink}`]);
  };
}
