import { etherTypes, ipProtocols, withIcmpType, withPorts } from '../../domain/packet-numbers.ts';
import { formatEtherType, formatIpOctets, formatProtocol } from '../../forms/packet-fields.ts';
import { macFromBytes } from '../../domain/mac-address.ts';

/** What is read of a frame, as far as its octets go: it was cut, or was never whole. */
interface Octets {
  /** null: it ends before */
  u8(at: number): number | null;
  u16(at: number): number | null;
  bytes(from: number, length: number): Uint8Array | null;
  from(at: number): Octets;
}

function octets(bytes: Uint8Array): Octets {
  const u8 = (at: number) => bytes[at] ?? null;
  return {
    u8,
    u16: (at) => (at + 1 < bytes.length ? (bytes[at]! << 8) | bytes[at + 1]! : null),
    bytes: (from, length) => (from + length <= bytes.length ? bytes.subarray(from, from + length) : null),
    from: (at) => octets(bytes.subarray(at)),
  };
}

const cut = 'cut short';

/**
 * A frame without its tag for people, in one line: "52:54:00:00:00:0a > 52:54:00:00:00:0b, tcp 10.0.0.1:5000 >
 * 10.0.0.2:23 SYN". Takes any octets whatever.
 */
export function frameSummary(bytes: Uint8Array): string {
  const frame = octets(bytes);
  const type = frame.u16(12);
  if (type === null) return `${cut}: ${bytes.length} octets`;
  const addresses = `${macFromBytes(bytes, 6)} > ${macFromBytes(bytes, 0)}`;
  const payload = frame.from(14);
  return `${addresses}, ${type < 0x0600 ? llc(payload) : (summaries[type]?.(payload) ?? formatEtherType(type))}`;
}

const summaries: Readonly<Record<number, (payload: Octets) => string>> = {
  [etherTypes.ipv4]: ipv4,
  [etherTypes.arp]: (payload) => `arp ${arp(payload)}`,
  [etherTypes.rarp]: () => 'rarp',
  [etherTypes.ipv6]: ipv6,
  [etherTypes.customerTag]: (payload) => `a second tag, vid ${(payload.u16(0) ?? 0) & 0xfff}`,
  [etherTypes.pause]: () => 'pause',
  [etherTypes.slowProtocols]: () => 'slow protocol',
  [etherTypes.eapol]: () => 'eapol',
  [etherTypes.lldp]: () => 'lldp',
  [etherTypes.cfm]: () => 'cfm',
  [etherTypes.ecp]: () => 'ecp',
};

function llc(payload: Octets): string {
  const dsap = payload.u8(0);
  if (dsap === 0x42) return 'bpdu';
  if (dsap === 0xaa && payload.u8(3) === 0 && payload.u16(4) === 0x000c && payload.u16(6) === 0x2000)
    return 'cdp';
  return 'llc';
}

function arp(packet: Octets): string {
  const operation = packet.u16(6);
  const sender = packet.bytes(14, 4);
  const target = packet.bytes(24, 4);
  if (!sender || !target || packet.u16(2) !== etherTypes.ipv4) return cut;
  const [from, to] = [formatIpOctets(sender), formatIpOctets(target)];
  if (operation === 1) return from === to ? `announces ${from}` : `who has ${to}? tell ${from}`;
  return operation === 2 ? `${from} is at ${macFromBytes(packet.bytes(8, 6)!)}` : `operation ${operation}`;
}

function ipv4(packet: Octets): string {
  const [source, destination] = [packet.bytes(12, 4), packet.bytes(16, 4)];
  const length = ((packet.u8(0) ?? 0) & 0xf) * 4;
  if (!source || !destination || length < 20) return `ipv4 ${cut}`;
  const offset = (packet.u16(6)! & 0x1fff) * 8;
  const ends = { from: formatIpOctets(source), to: formatIpOctets(destination) };
  return transport(packet.u8(9)!, packet.from(length), ends, offset);
}

/** Hop-by-hop, routing, fragment and destination options (RFC 8200, section 4). */
const extensions = new Set([0, 43, 44, 60]);
const fragment = 44;

function ipv6(packet: Octets): string {
  const [source, destination] = [packet.bytes(8, 16), packet.bytes(24, 16)];
  if (!source || !destination) return `ipv6 ${cut}`;
  const ends = { from: `[${formatIpOctets(source)}]`, to: `[${formatIpOctets(destination)}]` };
  let next = packet.u8(6)!;
  let rest = packet.from(40);
  let offset = 0;
  while (extensions.has(next)) {
    const [after, size] = [rest.u8(0), rest.u8(1)];
    if (after === null || size === null) break;
    if (next === fragment) offset = (rest.u16(2) ?? 0) & 0xfff8;
    rest = rest.from(next === fragment ? 8 : 8 * (size + 1));
    next = after;
  }
  return transport(next, rest, ends, offset);
}

interface Ends {
  readonly from: string;
  readonly to: string;
}

function transport(protocol: number, segment: Octets, { from, to }: Ends, offset: number): string {
  const name = formatProtocol(protocol);
  const called = typeof name === 'number' ? `ip protocol ${name}` : name;
  if (offset) return `${called} ${from} > ${to}, a fragment from octet ${offset}`;
  if (withIcmpType.includes(protocol)) {
    const type = segment.u8(0);
    const known = protocol === ipProtocols.icmp ? icmpTypes : icmpv6Types;
    return `${called} ${from} > ${to}${type === null ? '' : ` ${known[type] ?? `type ${type}`}`}`;
  }
  if (!withPorts.includes(protocol)) return `${called} ${from} > ${to}`;
  const [source, destination] = [segment.u16(0), segment.u16(2)];
  if (source === null || destination === null) return `${called} ${from} > ${to}, ${cut}`;
  const flags = protocol === ipProtocols.tcp ? tcpFlags(segment.u8(13)) : '';
  return `${called} ${from}:${source} > ${to}:${destination}${flags}`;
}

function tcpFlags(octet: number | null): string {
  const set = ['FIN', 'SYN', 'RST', 'PSH', 'ACK'].filter((_, bit) => ((octet ?? 0) >> bit) & 1);
  return set.length ? ` ${set.join(' ')}` : '';
}

const icmpTypes: Readonly<Record<number, string>> = {
  0: 'echo reply',
  3: 'unreachable',
  5: 'redirect',
  8: 'echo request',
  11: 'time exceeded',
};
const icmpv6Types: Readonly<Record<number, string>> = {
  1: 'unreachable',
  2: 'packet too big',
  128: 'echo request',
  129: 'echo reply',
  133: 'router solicitation',
  134: 'router advertisement',
  135: 'neighbour solicitation',
  136: 'neighbour advertisement',
  137: 'redirect',
};
