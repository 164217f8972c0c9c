import type { DropReason } from '../../domain/drop-reason.ts';

/** A reason to drop a frame, for people. */
export interface Explanation {
  /** in a few words */
  readonly words: string;
  /** in a sentence */
  readonly why: string;
  /** what to look at, or to change */
  readonly hint: string;
}

export const explanations: Readonly<Record<DropReason, Explanation>> = {
  unassociated: {
    words: 'no VSI has this source here',
    why: 'No VSI with this source address and VID is associated at the port.',
    hint: 'Has its station associated it, with this address and VLAN? "hairpin bridge show" has the associations and the last refusal, "hairpin vsi get" what is granted.',
  },
  armed: {
    words: 'the VM does not run here yet',
    why: 'The VSI is pre-associated at the port, and its frames count only when its station says that the VM runs there.',
    hint: 'Right while a VM migrates to this port. If it goes on, the station has not sent ASSOCIATE: its log and "hairpin migration ls" say how far it got.',
  },
  moved: {
    words: 'the VM has left this port',
    why: 'The VSI is active at another port now, and this is the one it came from.',
    hint: 'Right for a moment after a migration. If it goes on, something at the old port still uses the address.',
  },
  'access-list': {
    words: 'denied by the access list',
    why: "A rule of the profile's access list denies the frame, or none allows it.",
    hint: '"hairpin bridge rules VSI" counts the frames by rule. An IP frame whose header cannot be read is denied by any rules.',
  },
  rate: {
    words: "beyond the VSI's rate",
    why: 'The VSI has used up the rate that its profile has for this direction.',
    hint: "The profile's rate.fromVm or rate.toVm: max, or burst if it is only short bursts.",
  },
  'reflective-relay-off': {
    words: 'reflective relay is off',
    why: 'The frame would have to leave by the port that it came in by, and reflective relay is off there.',
    hint: 'The station asks for reflective relay by EVB; "hairpin bridge show" says what was agreed on, and evb.reflectiveRelay in both configurations what is offered.',
  },
  vlan: {
    words: 'the port does not carry the VLAN',
    why: 'The network port does not carry the VLAN of the frame; or the frame has two tags or one other than 802.1Q, or came in by a mirror port.',
    hint: "nativeVlan and vlans of the port in the bridge's configuration, or what the switch on the other side tags.",
  },
  'unknown-destination': {
    words: 'nobody has the destination',
    why: 'No VSI in this VLAN has the destination address, and no network port carries the VLAN.',
    hint: 'Is the other VM associated, in the same VLAN? What is elsewhere needs a network port that carries the VLAN.',
  },
  error: {
    words: 'the kernel could not send it',
    why: 'The kernel could not make or send a copy: there was no memory, a queue on its way was full, or the port of one that was not the last was down.',
    hint: "The link of the port, its queue (txqueuelen; for a veth device net.core.netdev_max_backlog), and the kernel's log.",
  },
  'guard-control': {
    words: 'a protocol between bridges',
    why: 'The VM sent a frame of a protocol between bridges (BPDU, LLDP, ECP, slow protocols, pause, MVRP, MMRP, CFM, EAPOL, CDP).',
    hint: 'A bridge or an LLDP agent may run in the VM. If it is to, guards.control: false in its profile lets it.',
  },
  'guard-dhcp': {
    words: 'from a DHCP server',
    why: 'The VM sent what only a DHCP server sends (UDP from port 67 or 547, or to port 68 or 546), or what hides whether it is that.',
    hint: 'If it is to be one, guards.dhcpServer: false in its profile lets it.',
  },
  'guard-ra': {
    words: 'from a router',
    why: 'The VM sent an IPv6 router advertisement or redirect, or what hides whether it is one.',
    hint: 'If it is to be a router, guards.routerAdvertisement: false in its profile lets it.',
  },
  'guard-address': {
    words: "not the VSI's own IP address",
    why: "The VM sent IP, ARP or neighbour discovery from an IP address that is not the VSI's own.",
    hint: 'The ips of "hairpin vsi get" are its own, and a link-local address that no other VM or router in the VLAN has; add the address with "hairpin vsi put", or guards.address: false in its profile lets it.',
  },
  storm: {
    words: 'beyond storm control',
    why: 'The VM sent more broadcast, multicast or unknown unicast frames a second than its profile allows.',
    hint: 'A loop in the VM, or a storm limit in its profile that is too low.',
  },
  'tenant-rate': {
    words: "beyond the tenant's rate",
    why: "All the tenant's VSIs on this bridge together have used up the tenant's rate for this direction.",
    hint: '"hairpin tenant get" has the rate; "hairpin bridge show" has what each of its VSIs sends.',
  },
  'same-port': {
    words: 'the destination is where it came from',
    why: 'The destination was learned to be behind the network port that the frame came in by.',
    hint: 'Right where the network outside floods. A destination that has moved is learned anew when it speaks, or forgotten after ageingTime.',
  },
  mtu: {
    words: "longer than the port's MTU",
    why: 'The frame is longer than the MTU of the port that it would have to leave by.',
    hint: 'Give all ports that serve one VLAN the same MTU ("ip link set PORT mtu N"), or the VM a smaller one. "hairpin bridge show" has the MTU of each port.',
  },
  standby: {
    words: 'the network port stands by',
    why: 'Another network port is active in the VLAN of the frame: of two, only one sends and receives.',
    hint: '"hairpin bridge show" says which port is active in which VLANs. Right where the network outside floods to both; nothing is lost by it.',
  },
};
