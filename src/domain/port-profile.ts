import type { ProfileRef } from './profile-ref.ts';
import type { Vid } from './vid.ts';

/** Directions are told from the VM: "from-vm" enters the bridge, "to-vm" leaves it. */
export type Direction = 'from-vm' | 'to-vm';

/** A token bucket: frames beyond it are dropped, with reason "rate". */
export interface RateLimit {
  /** bits per second of Ethernet frame, without preamble and check sequence; at least 8000 */
  readonly max: number;
  /** octets that may pass at once; at least one full frame */
  readonly burst: number;
}

export interface PortRange {
  readonly from: number;
  readonly to: number;
}

/** An IPv4 or IPv6 prefix: the address in canonical text and the number of leading bits that must match. */
export interface IpPrefix {
  readonly address: string;
  readonly length: number;
}

/** Every field that is present must match; a rule without fields matches every frame. */
export interface AccessRule {
  readonly action: 'allow' | 'deny';
  readonly direction: Direction | 'both';
  /** 0x0600 to 0xffff */
  readonly etherType?: number;
  readonly source?: IpPrefix;
  readonly destination?: IpPrefix;
  /** IP protocol number, 0 to 255 */
  readonly protocol?: number;
  /** TCP, UDP and SCTP only: needs `protocol` 6, 17 or 132 */
  readonly sourcePorts?: PortRange;
  readonly destinationPorts?: PortRange;
}

/** Rules in order: the first that matches decides, and `otherwise` where none does. */
export interface AccessList {
  readonly rules: readonly AccessRule[];
  readonly otherwise: 'allow' | 'deny';
}

/** Copies of the VSI's frames to the bridge port that carries this session. */
export interface Mirror {
  readonly session: string;
  readonly direction: Direction | 'both';
}

/** What the relay does for one VSI besides forwarding; one value, so that it is set and replaced whole. */
export interface Policy {
  readonly vlan: Vid;
  readonly rate: Readonly<Partial<Record<Direction, RateLimit>>>;
  readonly accessList: AccessList;
  readonly mirror: Mirror | null;
}

/** A port profile (VSI type): the network administrator's settings for VM NICs of one kind. */
export interface PortProfile extends Policy {
  readonly ref: ProfileRef;
  readonly name: string;
  readonly tenant: string;
  /** what a station that leaves the VID to the bridge (VID 0) is told: the profile's VLAN, or 0 again, untagged */
  readonly tagged: boolean;
}

/** The profile's settings without its name. */
export function policyOf({ vlan, rate, accessList, mirror }: Policy): Policy {
  return { vlan, rate, accessList, mirror };
}
