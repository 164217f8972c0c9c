import ipaddr from 'ipaddr.js';
import { etherTypes } from '../../domain/packet-numbers.ts';
import { macToBytes, type MacAddress } from '../../domain/mac-address.ts';
import type { RelayVsi } from '../contract/relay.ts';
import type { DropReason } from '../../domain/drop-reason.ts';
import { isSnap, type Frame } from './frame.ts';
import { arp, icmpv6, igmp, ipHeaderOf, ipv6, packetOf, udp, type IpHeader } from './headers.ts';

type Ip = ReturnType<typeof ipHeaderOf>;

/**
 * The first guard against this frame from the VSI; null if it may pass. What cannot be read may be what is guarded against.
 * `claims`: whether the VSI may speak for a link-local address, which then is its own.
 */
export function guardAgainst(
  frame: Frame,
  { ips, policy: { guards } }: RelayVsi,
  claims: (address: Uint8Array, given: boolean) => boolean,
): DropReason | null {
  const ip = ipHeaderOf(frame);
  if (guards.control && isBetweenBridges(frame)) return 'guard-control';
  if (guards.dhcpServer && mayBeDhcpServer(ip)) return 'guard-dhcp';
  if (guards.routerAdvertisement && frame.etherType === ipv6 && mayBeRouter(ip)) return 'guard-ra';
  if (guards.address && !speaksForItself(frame, ip, ips, claims)) return 'guard-address';
  return null;
}

const { ecp, draftEcp, lldp, slowProtocols, pause, mvrp, mmrp, cfm, eapol } = etherTypes;
const bridgeProtocols: readonly number[] = [
  ecp,
  draftEcp,
  lldp,
  slowProtocols,
  pause,
  mvrp,
  mmrp,
  cfm,
  eapol,
];
/** 01-80-C2-00-00-10 to -3F: bridge management, MRP, CFM (802.1Q tables 8-1 and 8-13); what is below is never relayed. */
const bridgeAddress = /^01:80:c2:00:00:[123]/;
/** CDP and its like; PVST+ */
const ciscoAddress = /^01:00:0c:cc:cc:c[cd]$/;

function isBetweenBridges({ destination, etherType, untagged }: Frame): boolean {
  if (bridgeAddress.test(destination) || ciscoAddress.test(destination)) return true;
  if (etherType >= 0x0600) return bridgeProtocols.includes(etherType);
  const llc = packetOf(untagged).subarray(0, 6);
  const isBpdu = llc.length >= 2 && (llc[0]! & 0xfe) === 0x42;
  const isCisco = isSnap(llc) && llc.subarray(3).join() === '0,0,12';
  return isBpdu || isCisco;
}

function mayBeDhcpServer(ip: Ip): boolean {
  if (!ip) return false;
  if (ip === 'unreadable' || ip.protocol === null) return true;
  if (ip.protocol !== udp || ip.segment === 'later') return false;
  if (ip.segment === 'hidden' || ip.segment.length < 4) return true;
  const [server, client] = isIpv4(ip) ? [67, 68] : [547, 546];
  return portAt(ip.segment, 0) === server || portAt(ip.segment, 2) === client;
}

const routerSolicitation = 133;
const routerAdvertisement = 134;
const neighbourSolicitation = 135;
const neighbourAdvertisement = 136;
const redirect = 137;
const listenerMessages = [131, 132, 143];
/** IGMPv1's to v3's, and its message that leaves a group */
const groupMessages = [0x12, 0x16, 0x17, 0x22];

function mayBeRouter(ip: Ip): boolean {
  if (!ip || ip === 'unreadable' || ip.protocol === null) return true;
  if (ip.protocol !== icmpv6 || ip.segment === 'later') return false;
  const [type] = ip.segment;
  return type === undefined || type === routerAdvertisement || type === redirect;
}

function speaksForItself(
  frame: Frame,
  ip: Ip,
  ips: readonly string[],
  claims: (address: Uint8Array, given: boolean) => boolean,
): boolean {
  const given = new Set(ips.map((text) => ipaddr.parse(text).toByteArray().join()));
  const linkLocal = linkLocalOf(frame.source).join();
  const isOwn = (address: Uint8Array) => {
    const [text, isGiven] = [address.join(), given.has(address.join())];
    if (text === linkLocal) return true;
    return isLinkLocal(address) ? claims(address, isGiven) : isGiven;
  };
  if (frame.etherType === arp) return speaksInArp(frame, isOwn);
  if (!ip) return true;
  if (ip === 'unreadable') return false;
  return isIpv4(ip) ? speaksInIpv4(ip, isOwn) : speaksInIpv6(ip, isOwn);
}

type IsOwn = (address: Uint8Array) => boolean;

/** Its own hardware address, and its own protocol address or, to probe one, none yet (RFC 5227, 2.1.1). */
function speaksInArp({ source, inSnap, untagged }: Frame, isOwn: IsOwn): boolean {
  if (inSnap) return false;
  const packet = packetOf(untagged);
  const ethernetAndIpv4 = [0, 1, 8, 0, 6, 4];
  if (packet.length < 28 || ethernetAndIpv4.some((octet, i) => packet[i] !== octet)) return false;
  if (Buffer.compare(packet.subarray(8, 14), macToBytes(source)) !== 0) return false;
  const sender = packet.subarray(14, 18);
  const isRequest = packet[6] === 0 && packet[7] === 1;
  return isOwn(sender) || (isZero(sender) && isRequest);
}

/** From no address yet: to a DHCP server, and about the groups that it wants to hear. */
function speaksInIpv4({ source, protocol, segment }: IpHeader, isOwn: IsOwn): boolean {
  if (isOwn(source)) return true;
  if (!isZero(source) || typeof segment === 'string') return false;
  if (protocol === igmp) return groupMessages.includes(segment[0]!);
  return protocol === udp && segment.length >= 4 && portAt(segment, 2) === 67;
}

function speaksInIpv6({ source, protocol, segment }: IpHeader, isOwn: IsOwn): boolean {
  if (protocol === null) return false;
  if (protocol !== icmpv6 || typeof segment === 'string') return isOwn(source);
  const [type] = segment;
  if (type === undefined) return false;
  const hasNone = isZero(source);
  const withoutAddress = [routerSolicitation, neighbourSolicitation, ...listenerMessages];
  if (!isOwn(source) && !(hasNone && withoutAddress.includes(type))) return false;
  const claims = type === neighbourAdvertisement || (type === neighbourSolicitation && hasNone);
  return !claims || isTarget(segment.subarray(8, 24), isOwn);
}

function isTarget(target: Uint8Array, isOwn: IsOwn): boolean {
  return target.length === 16 && isOwn(target);
}

/** RFC 4291, appendix A */
function linkLocalOf(mac: MacAddress): number[] {
  const [first, ...rest] = macToBytes(mac);
  return [0xfe, 0x80, 0, 0, 0, 0, 0, 0, first! ^ 2, ...rest.slice(0, 2), 0xff, 0xfe, ...rest.slice(2)];
}

/** fe80::/64 (RFC 4291, 2.5.6) */
export function isLinkLocal(address: Uint8Array): boolean {
  return (
    address.length === 16 && address[0] === 0xfe && address[1] === 0x80 && isZero(address.subarray(2, 8))
  );
}

function isIpv4({ source }: IpHeader): boolean {
  return source.length === 4;
}

function isZero(octets: Uint8Array): boolean {
  return octets.every((octet) => octet === 0);
}

function portAt(segment: Uint8Array, at: number): number {
  return (segment[at]! << 8) | segment[at + 1]!;
}
