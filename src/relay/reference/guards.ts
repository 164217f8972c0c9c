import ipaddr from 'ipaddr.js';
import { macToBytes, type MacAddress } from '../../domain/mac-address.ts';
import type { DropReason, RelayVsi } from '../relay.ts';
import type { Frame } from './frame.ts';
import { arp, icmpv6, ipHeaderOf, ipv6, packetOf, udp, type IpHeader } from './headers.ts';

type Ip = ReturnType<typeof ipHeaderOf>;

/** The first guard against this frame from the VSI; null if it may pass. What cannot be read may be what is guarded against. */
export function guardAgainst(frame: Frame, { ips, policy: { guards } }: RelayVsi): DropReason | null {
  const ip = ipHeaderOf(frame);
  if (guards.control && isBetweenBridges(frame)) return 'guard-control';
  if (guards.dhcpServer && mayBeDhcpServer(ip)) return 'guard-dhcp';
  if (guards.routerAdvertisement && frame.etherType === ipv6 && mayBeRouter(ip)) return 'guard-ra';
  if (guards.address && !speaksForItself(frame, ip, ips)) return 'guard-address';
  return null;
}

/** ECP, the draft's ECP, LLDP, slow protocols, pause, MVRP, MMRP, CFM, EAPOL */
const bridgeProtocols: readonly number[] = [
  0x8940, 0x88b7, 0x88cc, 0x8809, 0x8808, 0x88f5, 0x88f6, 0x8902, 0x888e,
];
/** 01-80-C2-00-00-10 to -3F: bridge management, MRP, CFM (802.1Q tables 8-1 and 8-13); what is below is never relayed. */
const bridgeAddress = /^01:80:c2:00:00:[123]/;
/** CDP and its like; PVST+ */
const ciscoAddress = /^01:00:0c:cc:cc:c[cd]$/;

function isBetweenBridges({ destination, etherType, untagged }: Frame): boolean {
  if (bridgeAddress.test(destination) || ciscoAddress.test(destination)) return true;
  if (etherType >= 0x0600) return bridgeProtocols.includes(etherType);
  const [dsap, ssap, , ...oui] = packetOf(untagged).subarray(0, 6);
  const isBpdu = dsap === 0x42 && ssap === 0x42;
  const isCisco = dsap === 0xaa && ssap === 0xaa && oui.join() === '0,0,12';
  return isBpdu || isCisco;
}

function mayBeDhcpServer(ip: Ip): boolean {
  if (!ip) return false;
  if (ip === 'unreadable' || ip.protocol === null) return true;
  if (ip.protocol !== udp || ip.segment === 'later') return false;
  return (
    ip.segment === 'hidden' || ip.segment.length < 4 || portAt(ip.segment, 0) === (isIpv4(ip) ? 67 : 547)
  );
}

const routerSolicitation = 133;
const routerAdvertisement = 134;
const neighbourSolicitation = 135;
const neighbourAdvertisement = 136;
const redirect = 137;
const listenerReports = [131, 143];

function mayBeRouter(ip: Ip): boolean {
  if (!ip || ip === 'unreadable' || ip.protocol === null) return true;
  if (ip.protocol !== icmpv6 || ip.segment === 'later') return false;
  const [type] = ip.segment;
  return type === undefined || type === routerAdvertisement || type === redirect;
}

function speaksForItself(frame: Frame, ip: Ip, ips: readonly string[]): boolean {
  const own = [...ips.map((text) => ipaddr.parse(text).toByteArray()), linkLocalOf(frame.source)];
  const isOwn = (address: Uint8Array) => own.some((one) => Buffer.compare(Buffer.from(one), address) === 0);
  if (frame.etherType === arp) return speaksInArp(frame, isOwn);
  if (!ip) return true;
  if (ip === 'unreadable') return false;
  return isIpv4(ip) ? speaksInIpv4(ip, isOwn) : speaksInIpv6(ip, isOwn);
}

type IsOwn = (address: Uint8Array) => boolean;

/** Its own hardware address, and its own protocol address or, to probe one, none yet (RFC 5227, 2.1.1). */
function speaksInArp({ source, untagged }: Frame, isOwn: IsOwn): boolean {
  const packet = packetOf(untagged);
  const ethernetAndIpv4 = [0, 1, 8, 0, 6, 4];
  if (packet.length < 28 || ethernetAndIpv4.some((octet, i) => packet[i] !== octet)) return false;
  if (Buffer.compare(packet.subarray(8, 14), macToBytes(source)) !== 0) return false;
  const sender = packet.subarray(14, 18);
  const isRequest = packet[6] === 0 && packet[7] === 1;
  return isOwn(sender) || (isZero(sender) && isRequest);
}

function speaksInIpv4({ source, protocol, segment }: IpHeader, isOwn: IsOwn): boolean {
  if (isOwn(source)) return true;
  const toDhcpServer =
    protocol === udp && typeof segment !== 'string' && segment.length >= 4 && portAt(segment, 2) === 67;
  return isZero(source) && toDhcpServer;
}

function speaksInIpv6({ source, protocol, segment }: IpHeader, isOwn: IsOwn): boolean {
  if (protocol === null) return false;
  const message = protocol === icmpv6 && segment !== 'later' ? segment : null;
  if (!message || message === 'hidden') return isOwn(source);
  const [type] = message;
  if (type === undefined) return false;
  const hasNone = isZero(source);
  const withoutAddress = [routerSolicitation, neighbourSolicitation, ...listenerReports];
  if (!isOwn(source) && !(hasNone && withoutAddress.includes(type))) return false;
  const claims = type === neighbourAdvertisement || (type === neighbourSolicitation && hasNone);
  return !claims || isOwn(message.subarray(8, 24));
}

/** RFC 4291, appendix A */
function linkLocalOf(mac: MacAddress): number[] {
  const [first, ...rest] = macToBytes(mac);
  return [0xfe, 0x80, 0, 0, 0, 0, 0, 0, first! ^ 2, ...rest.slice(0, 2), 0xff, 0xfe, ...rest.slice(2)];
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
