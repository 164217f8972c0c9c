import { ip } from '../linux/run.ts';
import { hosts, uplink, type LabVmPlan } from './scenario.ts';
import { openStreams, type Streams } from './stream/peer.ts';
import { peerLink, type LabNames } from './topology.ts';

/**
 * The streams between a lab's peer and one of its VMs. The peer is given the VM's MAC address, so that no ARP of its own
 * makes the VM speak.
 */
export async function labStreams(names: LabNames, { address, mac }: LabVmPlan): Promise<Streams> {
  await ip(names.peer, [`neigh replace ${address} lladdr ${mac} dev ${peerLink} nud permanent`]);
  return openStreams({
    namespace: names.peer,
    link: peerLink,
    address,
    entries: hosts.map(({ port }) => ({ namespace: names.bridge, link: port })),
    exits: hosts.map(({ name }) => ({ namespace: names.host(name), link: uplink })),
  });
}
