import type { MacAddress } from './mac-address.ts';
import type { ProfileRef } from './profile-ref.ts';
import type { Vid } from './vid.ts';

/** Directions are told from the VM: "from-vm" enters the bridge, "to-vm" leaves it. */
export type Direction = 'from-vm' | 'to-vm';
export const directions = ['from-vm', 'to-vm'] as const satisfies readonly Direction[];

/** A token bucket: frames beyond it are dropped, with reason "rate" (a VSI's) or "tenant-rate" (a tenant's). */
export interface RateLimit {
  /** bits per second of Ethernet frame, without preamble and check sequence; at least 8000 */
  readonly max: number;
  /** octets that may pass at once; at least one full frame */
  readonly burst: number;
}
export type Rates = Readonly<Partial<Record<Direction, RateLimit>>>;

export interface PortRange {
  readonly from: number;
  readonly to: number;
}

/** An IPv4 or IPv6 prefix: the address in canonical text and the number of leading bits that must match. */
export interface IpPrefix {
  readonly address: string;
  readonly length: number;
}

/** One prefix, or any of the list's named set. */
export type AddressMatch = IpPrefix | { readonly set: string };

/** An address whose bits in `mask` must match; both in canonical text. */
export interface MacMatch {
  readonly address: MacAddress;
  readonly mask: MacAddress;
}

/** Every field that is present must match; a rule without fields matches every frame. */
export interface AccessRule {
  readonly action: 'allow' | 'deny';
  readonly direction: Direction | 'both';
  readonly sourceMac?: MacMatch;
  readonly destinationMac?: MacMatch;
  /** 0x0600 to 0xffff */
  readonly etherType?: number;
  /** the fabric's VLAN that the frame is in */
  readonly vlan?: Vid;
  readonly source?: AddressMatch;
  readonly destination?: AddressMatch;
  /** IP protocol number, 0 to 255 */
  readonly protocol?: number;
  /** TCP, UDP and SCTP only: needs `protocol` 6, 17 or 132 */
  readonly sourcePorts?: PortRange;
  readonly destinationPorts?: PortRange;
  /** TCP only (needs `protocol` 6): a segment with ACK or RST, which opens no connection */
  readonly tcpEstablished?: true;
  /** ICMP and ICMPv6 only: needs `protocol` 1 or 58; 0 to 255 */
  readonly icmpType?: number;
  /** 0 to 63 */
  readonly dscp?: number;
  /** true: IP fragments only, the first one included; false: no fragments */
  readonly fragment?: boolean;
}

/** Rules in order: the first that matches decides, and `otherwise` where none does. */
export interface AccessList {
  readonly rules: readonly AccessRule[];
  readonly otherwise: 'allow' | 'deny';
  /** prefixes by name, for the rules; absent where there are none */
  readonly sets?: Readonly<Record<string, readonly IpPrefix[]>>;
}

/** Frames per second that a VM may send of one kind, and how many at once; the others are dropped as "storm". */
export interface StormLimit {
  readonly framesPerSecond: number;
  readonly burst: number;
}
/** `unknown-unicast`: to an address that is neither a VSI's nor learned. */
export const stormKinds = ['broadcast', 'multicast', 'unknown-unicast'] as const;
export type StormKind = (typeof stormKinds)[number];

/** What the bridge writes into frames from the VM; "trust": what the VM says stays. */
export interface Marking {
  /** 0 to 63 */
  readonly dscp: number | 'trust';
  /** 0 to 7: the priority of the tag that the frame gets in the fabric */
  readonly pcp: number | 'trust';
  /** the priority of a frame that comes without a tag, where pcp is trusted */
  readonly defaultPcp: number;
}

/** What a VM may not send; each frame is dropped under the guard's name. */
export interface Guards {
  /**
   * "guard-address": IP from another source address than the VSI's own, ARP and neighbour discovery that speak for one.
   * Always allowed: the unspecified address where a host has none yet (DHCP from 0.0.0.0, ARP probes, duplicate address
   * detection), and the IPv6 link-local address that its MAC address gives (RFC 4291, appendix A).
   */
  readonly address: boolean;
  /** "guard-dhcp": what only a DHCP server sends (UDP from port 67 or 547) */
  readonly dhcpServer: boolean;
  /** "guard-ra": router advertisements and redirects (ICMPv6 134, 137) */
  readonly routerAdvertisement: boolean;
  /** "guard-control": protocols between bridges: BPDUs, LLDP, ECP, slow protocols, pause, MVRP, MMRP, CFM, EAPOL, CDP */
  readonly control: boolean;
}

/** Copies of the VSI's frames to the bridge port that carries this session; they follow the VM. */
export interface Mirror {
  readonly session: string;
  readonly direction: Direction | 'both';
  /** which frames: those that this list allows; absent: all */
  readonly filter?: AccessList;
  /** octets that are kept of each; absent: all */
  readonly truncate?: number;
  /** 1 of so many of these frames, per VSI and direction, the first one included; absent: every one */
  readonly sample?: number;
}

/** What the relay does for one VSI besides forwarding; one value, so that it is set and replaced whole. */
export interface Policy {
  /** of frames with the wire VID that the VSI was associated with */
  readonly vlan: Vid;
  /** further VLANs, whose frames carry their own VID on the link; ascending, without `vlan`; at most 16 */
  readonly trunk: readonly Vid[];
  /** whose total the frames count for */
  readonly tenant: string;
  readonly rate: Rates;
  readonly storm: Readonly<Partial<Record<StormKind, StormLimit>>>;
  readonly accessList: AccessList;
  readonly marking: Marking;
  readonly guards: Guards;
  readonly mirror: Mirror | null;
}

/** A port profile (VSI type): the network administrator's settings for VM NICs of one kind. */
export interface PortProfile extends Policy {
  readonly ref: ProfileRef;
  readonly name: string;
  /**
   * A station that leaves the VID to the bridge (VID 0) is told to tag frames with the profile's VLAN; false: VID 0 is
   * answered as it came, and the VSI's frames are untagged on the link.
   */
  readonly tagged: boolean;
  /**
   * What the network is told of a VSI that has moved: its MAC addresses (by RARP), or its IP addresses too (by gratuitous ARP
   * and neighbour advertisement), for fabrics that answer these themselves. Absent: the MAC addresses alone.
   */
  readonly announce?: 'addresses';
}

/** A tenant's totals over all its VSIs on one bridge. */
export interface TenantLimits {
  readonly rate: Rates;
  /** bits per second that are left to it by each egress port with a shaper; null: none */
  readonly guaranteed: number | null;
}

export const unlimited: TenantLimits = { rate: {}, guaranteed: null };

/** The profile's settings without its name. */
export function policyOf(profile: PortProfile): Policy {
  const { vlan, trunk, tenant, rate, storm, accessList, marking, guards, mirror } = profile;
  return { vlan, trunk, tenant, rate, storm, accessList, marking, guards, mirror };
}

/** The VLANs that its VSIs are in, its own first. */
export function vlansOf({ vlan, trunk }: Pick<Policy, 'vlan' | 'trunk'>): readonly Vid[] {
  return [vlan, ...trunk];
}

export const unmarked: Marking = { dscp: 'trust', pcp: 'trust', defaultPcp: 0 };
export const unguarded: Guards = {
  address: false,
  dhcpServer: false,
  routerAdvertisement: false,
  control: false,
};

/** Nothing but forwarding. */
export const plainForwarding: Omit<Policy, 'vlan' | 'tenant'> = {
  trunk: [],
  rate: {},
  storm: {},
  accessList: { rules: [], otherwise: 'allow' },
  marking: unmarked,
  guards: unguarded,
  mirror: null,
};
