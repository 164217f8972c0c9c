import { createQuietNamespace, deleteNamespace, listNamespaces } from '../linux/net/namespace.ts';
import { ip } from '../linux/run.ts';
import { hosts, mirrorPort, networkPort, peerAddress, prefixLength, uplink } from './scenario.ts';

/**
 * The names of one lab's namespaces. Everything a lab creates starts with `hp-ID-`, so that it can be found and
 * removed without knowing more, and so that two labs (a user's and a test's) do not meet.
 */
export function namesOf(id: string) {
  const prefix = `hp-${id}-`;
  return {
    prefix,
    bridge: `${prefix}sw`,
    peer: `${prefix}peer`,
    collector: `${prefix}tap`,
    host: (host: string) => `${prefix}${host}`,
    vm: (vm: string) => `${prefix}vm-${vm}`,
  };
}
export type LabNames = ReturnType<typeof namesOf>;

export const peerLink = 'eth0';
export const collectorLink = 'tap0';

/**
 * The switch's namespace with a station port for each host, a network port to the outside peer and a mirror port to
 * a collector; the hosts' uplinks are the only links between a host and anything else.
 */
export async function buildTopology(names: LabNames): Promise<void> {
  const cables = [
    ...hosts.map(({ name, port }) => ({ port, namespace: names.host(name), link: uplink })),
    { port: networkPort, namespace: names.peer, link: peerLink },
    { port: mirrorPort, namespace: names.collector, link: collectorLink },
  ];
  for (const namespace of [names.bridge, ...cables.map((cable) => cable.namespace)])
    await createQuietNamespace(namespace);
  await ip(
    names.bridge,
    cables.flatMap(({ port, namespace, link }) => [
      `link add ${port} type veth peer name ${link} netns ${namespace}`,
      `link set ${port} up`,
    ]),
  );
  for (const { namespace, link } of cables) await ip(namespace, [`link set ${link} up`]);
  await ip(names.peer, [`addr add ${peerAddress}/${prefixLength} dev ${peerLink}`]);
}

/** Removes every namespace of this lab and so every link; what is gone already is no error. */
export async function removeTopology(names: LabNames): Promise<void> {
  for (const namespace of await listNamespaces(names.prefix)) await deleteNamespace(namespace);
}
