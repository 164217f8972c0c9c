import type { DropReason } from '../../domain/drop-reason.ts';
import { Failure } from '../../base/failure.ts';
import { etherTypes } from '../../domain/packet-numbers.ts';
import type { MacAddress } from '../../domain/mac-address.ts';
import type { Policy, TenantLimits } from '../../domain/port-profile.ts';
import type { NullVid, Vid } from '../../domain/vid.ts';
import type { VsiId } from '../../domain/vsi-id.ts';
import type { Capabilities } from './capabilities.ts';

/**
 * The relay contract. The bridge agent states what every port and VSI must be; a driver computes the difference
 * to what the data plane holds and applies it. Frames never wait for a driver: what is applied stays in force
 * when the driver's process ends, until `destroy`.
 *
 * Forwarding, which every driver implements alike (`reference/forwarding.ts` is the executable specification):
 * - A frame to 01-80-C2-00-00-00..0F is a control frame: the agent's sockets hear it, and it is never relayed.
 * - The switch's own stack sees nothing of what enters a port, unless a network port's `host` lets it: untagged control
 *   frames of the protocols that this names, and in its VLAN frames to its address, which then are nobody else's, and to
 *   groups, which are relayed besides. They reach the stack as they came, also where the port stands by or does not carry
 *   the VLAN, and are not counted as dropped there.
 * - A frame with another tag than 802.1Q's (802.1ad, 0x9100, 0x9200, 0x9300), with any second tag right behind its 802.1Q
 *   tag, or with a tag in SNAP, is dropped as `vlan`: where it left without its own it would be one of another VLAN, and
 *   nobody here looks behind a tag that is nothing to a receiver.
 * - A frame with a length in place of an EtherType has the EtherType that stands in its SNAP header with OUI 00-00-00
 *   (RFC 1042) or 00-00-F8 (802.1H), whatever its length and the rest of LLC say, as some receivers read it; IP and ARP
 *   in SNAP are not readable.
 * - A frame that enters a station port belongs to the VSI that has a place at this port with the frame's VID, or
 *   carries that VID as a trunk's, and whose addresses contain the source MAC. At an armed place it is dropped as
 *   `armed`, at a released one as `moved`, and without any place as `unassociated`. It is in the VSI's VLAN, or in the
 *   trunk's.
 * - For 100 ms after the VSI has ceased to be active at a place that is its released one since then, a frame from it
 *   there is not dropped as `moved`, but goes on as if the VSI were active there: it was on its way when the VSI turned.
 * - It then passes, in this order: the guards (`guard-control`, `guard-dhcp`, `guard-ra`, `guard-address`), the access
 *   list from the VM (`access-list`), storm control (`storm`), the VSI's rate (`rate`), its tenant's (`tenant-rate`).
 *   It is marked, mirrored if the policy says so, and relayed within its VLAN. What a frame was charged before it was
 *   dropped it is not given back.
 * - A frame that enters a network port belongs to the VLAN of its tag, or to the native VLAN when untagged; a VLAN the
 *   port does not carry is dropped as `vlan`. Of a VLAN at most one network port is active; at one that carries the VLAN
 *   and is not active, a frame is dropped as `standby`. Its unicast source is learned to be there, in this VLAN, unless it
 *   is a VSI's that is active here. A router advertisement there to all nodes makes its link-local source a router's, in
 *   this VLAN, for 9,000 s. Forgotten is what was not seen for the ageing time, what was learned at a port that goes or is
 *   of another kind now, and what an active VSI has become the owner of. The table is bounded.
 * - A frame for a VSI's address goes to its active place alone: after the access list, the VSI's rate and the tenant's to
 *   the VM, and the mirror. The tag is that of the place's wire VID (none for the null VID), or of the VLAN in a trunk's,
 *   with the frame's priority.
 * - Another unicast frame, and one for a VSI that is active nowhere here (another bridge may have it), goes to the
 *   VLAN's active network port if it came from a station; nothing goes from network port to network port. If there is
 *   no such port it is dropped as `unknown-destination`; what came from the network as `same-port` where its destination
 *   was learned there. While a port is not the VLAN's active one, nothing counts as learned there.
 * - A group frame goes, from a station, to the VLAN's active network port, and to the VLAN's members where they are
 *   active, other than its sender. A station port whose untagged VSIs are all active there, belong to one VLAN and have
 *   nothing to say about frames to the VM (access rule, rate, the tenant's rate, mirror) gets one copy for them, as it is
 *   (the station's VEPA
 *   replicates it), which no VSI's counters count, those of its rules included. Each other VSI gets a copy addressed to
 *   its own (first) MAC, after its access list and rates: a VEPA knows no VLANs on an untagged link and would hand a
 *   tenant's broadcast to every VM.
 * - Nothing leaves by the station port it came in by unless reflective relay is on there (`reflective-relay-off`).
 * - A mirrored copy is the frame as it goes on, without an 802.1Q tag, cut to the mirror's length, or behind its
 *   headers, which are at most 128 octets, where a data plane cannot cut within them. Of the frames that the mirror's
 *   filter allows while its session has a port, each VSI's and direction's first is copied, and then each `sample`-th
 *   after the last that was; a mirror that is changed begins anew. A mirror port accepts no frames (`vlan`).
 * - A rate is a token bucket over the frame without its tag: a frame passes while the bucket is not empty and may
 *   overdraw it. A GSO super-frame passes whole or not at all, and is charged as the frames that it becomes on the link:
 *   with 54 octets of headers for each but the first. A rate that is changed starts with a full bucket. Storm control is one over
 *   frames, per VSI and kind, and counts those that a super-frame becomes.
 * - A frame that is longer without its tag than the MTU of the port that it would leave by is dropped as `mtu`, as is a super-frame
 *   whose segments are; a mirrored copy as it is cut. It is counted at that port, and of the VSI that it was for.
 * - The priority of a frame is that of the tag it came with (none: 0, from a VSI its `defaultPcp`), or what the marking
 *   says; drop eligibility stays. A DSCP is written into IPv4 (with its checksum, RFC 1624) and IPv6 whose header is
 *   readable and says another; congestion marks stay. What is asked of the frame after that sees the new DSCP.
 * - The guards drop an IP or ARP frame that they would have to read and cannot: without a readable IP header, with more
 *   than six extension headers, cut short. A later fragment passes them, its first one was judged.
 * - Behind an IP packet's end, by its own length, is padding, and not what a header there says; 0 is no length. An IPv4
 *   header that does not fit into that length is not readable. IPv6's hop-by-hop, routing, fragment and destination
 *   options headers and the authentication header (AH), in IPv4 too, are read over: the protocol is the one behind them.
 * - `guard-dhcp` drops UDP from a DHCP server's port (67, in IPv6 547) and to a client's (68, 546).
 * - `guard-address` takes for the VSI's own: its `ips`, the link-local address that the frame's source MAC gives, and a
 *   link-local address (fe80::/64) that it uses first in its VLAN, as source, or as target of its advertisements and of
 *   its duplicate address detection. Nobody takes one so that was made of a MAC address or is a router's, nor one that
 *   another VSI has; a VSI that was given it by name has it always. A VSI keeps the four newest that it took, wherever
 *   it moves, however many others take; they are free when it goes or leaves the VLAN. A router is one that advertised
 *   itself at a network port less than 9,000 s ago; it is forgotten with the port, or with its interface. From no address pass DHCP to a server, IGMP reports and leaves, ARP probes,
 *   router solicitations, MLD reports and dones, and duplicate address detection.
 * - Where an egress port has a shaper, each tenant with a guaranteed rate has that much of it to itself, and may borrow
 *   what others leave.
 * - What a frame does not show decides against it, unless the rule asks for something else that the frame shows to be
 *   otherwise: a deny rule takes it for a match, an allow rule does not. A later IP fragment, though, matches allow
 *   rules and no deny rules that ask for ports, TCP flags or an ICMP type: its first fragment was judged, and without
 *   that one it is of no use to anybody; one that starts inside the first eight octets of TCP hides them (RFC 3128).
 *   Where there are rules, an IP frame without a readable IP header is denied. Frames that are not IP match no rule
 *   that asks for anything of IP, and an IPv6 packet that is whole is no fragment, fragment header or not (RFC 6946).
 *   Group frames to the VM are judged by their own destination.
 * - A drop other than `mtu` is counted at the port where the frame came in, and of its VSI there; for what is said of
 *   frames to the VM it is counted at the VSI's active place. Control frames are not counted.
 */
export interface Relay {
  /** A policy that asks for more is refused by `apply`; to be asked at admission. */
  readonly capabilities: Capabilities;
  /** What the data plane holds now; after a restart of the agent, what it has to adopt. */
  held(): RelayState;
  /**
   * Makes the data plane be `desired`. A VSI's change of place (armed, active) and its change of policy are each
   * one atomic write: no frame sees half of either. `changed`: all other VSIs are, by the caller's word, as they were
   * when it last had this relay apply a state, so that a driver need not look at them.
   * @throws RelayError when the data plane refuses; what was held before is still in force then
   */
  apply(desired: RelayState, changed?: ReadonlySet<VsiId>): void;
  /** All there are: walks every VSI, and the strangers. */
  counters(): RelayCounters;
  portCounters(): RelayCounters['ports'];
  /** Of one VSI, by each port it has a place at; costs the same however many others there are. */
  countersOf(vsiId: VsiId): ReadonlyMap<PortName, VsiCounters>;
  /**
   * Frames that each rule of the VSI's access list has decided since the list came to be, in the rules' order, and
   * last those that none did; VSIs with equal access lists may share the count. A list without rules counts nothing.
   * Null: there is no such VSI.
   */
  ruleFrames(vsi: VsiId): readonly number[] | null;
  /**
   * Sends a frame, whole and without a tag, to the network: out of the VLAN's active network port, dressed as a VSI's
   * frames in it leave there. No policy looks at it, nothing counts it, and no mirror copies it. A port that is
   * down does without it.
   */
  tellNetwork(vlan: Vid, frame: Uint8Array): void;
  /**
   * The interface of a port came, or was made anew under the same name: until then the port receives and sends nothing.
   * Or it has another MTU.
   * @throws RelayError when it cannot be bound
   */
  rebind(port: PortName): void;
  /** Called for each announcement (see RelayEvent) until `close`. */
  watch(listener: (event: RelayEvent) => void): void;
  /** Calls for a sample of the dropped frames, at most some hundreds per second, until the returned function is called. */
  watchDrops(listener: (drop: DropSample) => void): () => void;
  /** Lets go of the data plane, which goes on. */
  close(): void;
  /** Removes the data plane: every port stops forwarding. */
  destroy(): void;
}

export class RelayError extends Failure {
  override name = 'RelayError';
}

export interface RelayState {
  readonly ports: ReadonlyMap<PortName, RelayPort>;
  readonly vsis: ReadonlyMap<VsiId, RelayVsi>;
  /** by name; a tenant that is not here has no limits. A driver may take the same map again for the same limits */
  readonly tenants: ReadonlyMap<string, TenantLimits>;
  /** The active network port of each VLAN, which has to carry it. Changed by one write for each VLAN. */
  readonly networkPorts: ReadonlyMap<Vid, PortName>;
  /** in s, for learned addresses: 10 to 1,000,000 (802.1Q 8.8.3) */
  readonly ageingTime: number;
}
export const defaultAgeingTime = 300;

/** A Linux interface name, at most 15 octets. */
export type PortName = string;

/** How frames leave by a port. */
export interface PortEgress {
  /** bits per second at most, queued and not dropped; absent: no limit */
  readonly shaper?: number;
  /**
   * The port is a veth whose peer is another namespace's end: frames are handed straight to that end, past the port's own
   * egress, so that its taps and its interface counters do not see them. Absent: as the kernel does it. Not with a shaper.
   */
  readonly peerDelivery?: true;
}

/** A network port carries `vlans` (ascending in what is held) and `nativeVlan`, the latter untagged. */
export type RelayPort =
  | (PortEgress & { readonly kind: 'station'; readonly reflectiveRelay: boolean })
  | (PortEgress & {
      readonly kind: 'network';
      readonly nativeVlan: Vid | null;
      readonly vlans: readonly Vid[];
      /** absent: nothing of what enters the port gets to the switch's own stack */
      readonly host?: HostAccess;
    })
  | { readonly kind: 'mirror'; readonly session: string };

/** Kinds of control frames that the switch's own stack may want, by their EtherTypes. */
export const hostProtocols = {
  lldp: etherTypes.lldp,
  lacp: etherTypes.slowProtocols,
  eapol: etherTypes.eapol,
} as const;
export type HostProtocol = keyof typeof hostProtocols;

/** What the switch's own stack gets of what enters a network port. */
export interface HostAccess {
  /** null: no frames but control frames */
  readonly vlan: Vid | null;
  /** the port's own address */
  readonly address: MacAddress;
  /** in the order of `hostProtocols`, in what is held */
  readonly protocols: readonly HostProtocol[];
}

/** Where a VSI is or will be: a station port, and the VID its frames carry on that link (null VID: untagged). */
export interface Place {
  readonly port: PortName;
  readonly wireVid: Vid | NullVid;
}

/** Each place is on another port; all are null for no VSI that is in a state. */
export interface Places {
  /** Frames from the VM are accepted here, and frames to it are sent here. */
  readonly active: Place | null;
  /** Where it will be active next: no frame to the VM is sent here, frames from it are dropped (as `armed`) and counted. */
  readonly armed: Place | null;
  /** Where it was active before: frames from it are dropped (as `moved`, but the last ones) and counted, none are sent. */
  readonly released: Place | null;
}

export interface RelayVsi {
  /** unicast, 1 to 64; unique within each VLAN, and at each place with each of its VIDs among all VSIs */
  readonly addresses: readonly MacAddress[];
  /** the VSI's own IPv4 and IPv6 addresses, for the address guard, in canonical text; at most 64 */
  readonly ips: readonly string[];
  readonly policy: Policy;
  readonly places: Places;
  /** up to 255 octets of UTF-8 that the data plane keeps for the agent, verbatim */
  readonly label: string;
}

/** Since the port or the VSI's place was created. */
export interface PortCounters {
  readonly framesIn: number;
  readonly framesOut: number;
  readonly dropped: Readonly<Record<DropReason, number>>;
}

export interface VsiCounters {
  readonly fromVm: { readonly frames: number; readonly octets: number };
  readonly toVm: { readonly frames: number; readonly octets: number };
  readonly dropped: Readonly<Record<DropReason, number>>;
  /** First and last frame from the VM that was accepted here, in ns of CLOCK_MONOTONIC; null if none was. */
  readonly firstFrame: bigint | null;
  readonly lastFrame: bigint | null;
}

/** A source address without a VSI at this port. The table is bounded: the least recently seen are forgotten. */
export interface Stranger {
  readonly port: PortName;
  readonly mac: MacAddress;
  readonly wireVid: Vid | NullVid;
  readonly frames: number;
  readonly lastFrame: bigint;
}

export interface RelayCounters {
  readonly ports: ReadonlyMap<PortName, PortCounters>;
  /** by VSI, then by each port it has a place at */
  readonly vsis: ReadonlyMap<VsiId, ReadonlyMap<PortName, VsiCounters>>;
  readonly strangers: readonly Stranger[];
  /** addresses that are learned to be behind network ports, now; absent: the relay does not tell */
  readonly learned?: number;
}

/**
 * A gratuitous ARP, a RARP or an unsolicited neighbour advertisement entered `port` from a source that may not send
 * there (unassociated, armed or moved); the frame was dropped. This is how a switch without 802.1Qbg learns of a move.
 * Some 100 a second are told of each VSI that is armed there, and as many of all others together.
 */
export interface RelayEvent {
  readonly kind: 'announcement';
  readonly port: PortName;
  readonly mac: MacAddress;
  readonly wireVid: Vid | NullVid;
  readonly reason: 'unassociated' | 'armed' | 'moved';
  /** ns of CLOCK_MONOTONIC */
  readonly at: bigint;
}

/** One dropped frame. */
export interface DropSample {
  /** where it came in */
  readonly port: PortName;
  readonly reason: DropReason;
  /** whose it was, as far as known: the sender, or for what is said of frames to the VM the receiver */
  readonly vsi: VsiId | null;
  /** ns of CLOCK_MONOTONIC */
  readonly at: bigint;
  /** of the tag that it came with, the null VID without one; absent: the relay does not tell */
  readonly wireVid?: Vid | NullVid;
  /** of the whole frame, without its tag */
  readonly octets: number;
  /** its first octets without its tag, at most 128 */
  readonly frame: Uint8Array;
}
