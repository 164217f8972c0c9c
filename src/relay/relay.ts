import type { MacAddress } from '../domain/mac-address.ts';
import type { Policy } from '../domain/port-profile.ts';
import type { NullVid, Vid } from '../domain/vid.ts';
import type { VsiId } from '../domain/vsi-id.ts';

/**
 * The relay contract. The bridge agent states what every port and VSI must be; a driver computes the difference
 * to what the data plane holds and applies it. Frames never wait for a driver: what is applied stays in force
 * when the driver's process ends, until `destroy`.
 *
 * Forwarding, which every driver implements alike (`reference/` is the executable specification):
 * - A frame to 01-80-C2-00-00-00..0F is a control frame: it is left to the agent's sockets and never relayed.
 * - A frame that enters a station port belongs to the VSI whose active place is (port, wire VID) and whose
 *   addresses contain the source MAC. At an armed place it is dropped as `armed`, at a released one as `moved`,
 *   and without any place as `unassociated`.
 * - It is then subject, in this order, to the VSI's access list (`access-list`) and rate (`rate`) from the VM, is
 *   mirrored if the policy says so, and is relayed within the VSI's VLAN.
 * - A frame that enters a network port belongs to the VLAN of its tag, or to the native VLAN when untagged; a VLAN
 *   the port does not carry is dropped as `vlan`.
 * - A frame for a VSI's address goes to its active place and, while there is one, to its armed place: after the
 *   access list and rate to the VM and the mirror, once per frame and not once per copy. The tag is that of the
 *   place's wire VID (none for the null VID), with the priority the frame came with.
 * - Another unicast frame, and one for a VSI that is active nowhere here (another bridge may have it), goes to every
 *   network port that carries the VLAN, other than the one it came in by; if there is neither such a port nor an
 *   armed place it is dropped as `unknown-destination`.
 * - A group frame goes to every network port that carries the VLAN and to the VLAN's members at station ports,
 *   other than its sender. A station port whose untagged VSIs all belong to one VLAN and have nothing to say about
 *   frames to the VM (access rule, rate, mirror) gets one copy for them, as it is (the station's VEPA replicates it),
 *   which no VSI's counters count. Each other VSI gets a copy addressed to its own (first) MAC, after its access list
 *   and rate: a VEPA knows no VLANs on an untagged link and would hand a tenant's broadcast to every VM of the host.
 * - Nothing leaves by the station port it came in by unless reflective relay is on there (`reflective-relay-off`).
 * - A mirrored copy is the frame as it came in, without an 802.1Q tag. A mirror port accepts no frames (`vlan`).
 * - A rate is a token bucket over the frame without its tag: a frame passes while the bucket is not empty and may
 *   overdraw it (a GSO super-frame is one frame). A rate that is changed starts with a full bucket.
 * - An access rule that asks for ports does not match a frame whose protocol has none. A later IP fragment matches
 *   allow rules and no deny rules that ask for ports; where headers cannot be read it is the other way round.
 * - A drop is counted at the port where the frame came in, and of its VSI there; for what is said of frames to the VM
 *   it is counted at the VSI's active place, else at its armed one. Control frames are not counted.
 */
export interface Relay {
  /** What the data plane holds now; after a restart of the agent, what it has to adopt. */
  held(): RelayState;
  /**
   * Makes the data plane be `desired`. A VSI's change of place (armed, active) and its change of policy are each
   * one atomic write: no frame sees half of either. `changed`: all other VSIs are, by the caller's word, as they were
   * when it last had this relay apply a state, so that a driver need not look at them.
   * @throws RelayError when the data plane refuses; what was held before is still in force then
   */
  apply(desired: RelayState, changed?: ReadonlySet<VsiId>): void;
  counters(): RelayCounters;
  /** Called for each announcement (see RelayEvent) until `close`. */
  watch(listener: (event: RelayEvent) => void): void;
  /** Lets go of the data plane, which goes on. */
  close(): void;
  /** Removes the data plane: every port stops forwarding. */
  destroy(): void;
}

export class RelayError extends Error {
  override name = 'RelayError';
}

export interface RelayState {
  readonly ports: ReadonlyMap<PortName, RelayPort>;
  readonly vsis: ReadonlyMap<VsiId, RelayVsi>;
}

/** A Linux interface name, at most 15 octets. */
export type PortName = string;

/** A network port carries `vlans` (ascending in what is held) and `nativeVlan`, the latter untagged. */
export type RelayPort =
  | { readonly kind: 'station'; readonly reflectiveRelay: boolean }
  | { readonly kind: 'network'; readonly nativeVlan: Vid | null; readonly vlans: readonly Vid[] }
  | { readonly kind: 'mirror'; readonly session: string };

/** Where a VSI is or will be: a station port, and the VID its frames carry on that link (null VID: untagged). */
export interface Place {
  readonly port: PortName;
  readonly wireVid: Vid | NullVid;
}

/** Each place is on another port; all are null for no VSI that is in a state. */
export interface Places {
  /** Frames from the VM are accepted here, and frames to it are sent here. */
  readonly active: Place | null;
  /** Frames to the VM are sent here too; frames from it are dropped (as `armed`) and counted. */
  readonly armed: Place | null;
  /** Where it was active before: frames from it are dropped (as `moved`) and counted, none are sent. */
  readonly released: Place | null;
}

export interface RelayVsi {
  /** unicast, 1 to 64; unique within the VLAN, and at each place with its wire VID among all VSIs */
  readonly addresses: readonly MacAddress[];
  readonly policy: Policy;
  readonly places: Places;
  /** up to 255 octets of UTF-8 that the data plane keeps for the agent, verbatim */
  readonly label: string;
}

export const dropReasons = [
  'unassociated',
  'armed',
  'moved',
  'access-list',
  'rate',
  'reflective-relay-off',
  'vlan',
  'unknown-destination',
  'error',
] as const;
/** `error`: the kernel could not send a copy (no memory, port down). */
export type DropReason = (typeof dropReasons)[number];

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
}

/**
 * A gratuitous ARP, a RARP or an unsolicited neighbour advertisement entered `port` from a source that may not send
 * there (unassociated, armed or moved); the frame was dropped. This is how a switch without 802.1Qbg learns of a move.
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
