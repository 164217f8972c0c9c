import { type MacAddress, macToBytes } from '../../domain/mac-address.ts';

/** A host as its frames name it. */
export interface Endpoint {
  readonly mac: MacAddress;
  /** IPv4 */
  readonly address: string;
}

const ipv4 = 0x0800;
const arp = 0x0806;
const udp = 17;
const ethernetLength = 14;
const ipLength = 20;
const udpLength = 8;
const payloadOffset = ethernetLength + ipLength + udpLength;

/** An Ethernet frame with an IPv4 datagram with a UDP datagram (RFC 791, RFC 768; no UDP checksum). */
export function udpFrame(from: Endpoint, to: Endpoint, port: number, payload: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(payloadOffset + payload.length);
  const view = new DataView(bytes.buffer);
  bytes.set(macToBytes(to.mac), 0);
  bytes.set(macToBytes(from.mac), 6);
  view.setUint16(12, ipv4);
  const ip = ethernetLength;
  bytes[ip] = 0x45;
  view.setUint16(ip + 2, bytes.length - ip);
  bytes[ip + 8] = 64;
  bytes[ip + 9] = udp;
  bytes.set(octets(from.address), ip + 12);
  bytes.set(octets(to.address), ip + 16);
  view.setUint16(ip + 10, checksum(bytes.subarray(ip, ip + ipLength)));
  view.setUint16(ip + ipLength, port);
  view.setUint16(ip + ipLength + 2, port);
  view.setUint16(ip + ipLength + 4, udpLength + payload.length);
  bytes.set(payload, payloadOffset);
  return bytes;
}

/** The UDP payload of a frame that `udpFrame` could have made; null for any other. */
export function udpPayload(frame: Uint8Array): Uint8Array | null {
  const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
  if (frame.length < payloadOffset || view.getUint16(12) !== ipv4) return null;
  if (frame[ethernetLength] !== 0x45 || frame[ethernetLength + 9] !== udp) return null;
  const length = view.getUint16(ethernetLength + ipLength + 4) - udpLength;
  return length < 0 || payloadOffset + length > frame.length
    ? null
    : frame.subarray(payloadOffset, payloadOffset + length);
}

/** What a VM sends when its interface comes up (RFC 5227, 3: an ARP announcement). */
export function gratuitousArp({ mac, address }: Endpoint): Uint8Array {
  const broadcast = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff];
  const request = [0, 1, ipv4 >> 8, ipv4 & 0xff, 6, 4, 0, 1];
  const nobody = [0, 0, 0, 0, 0, 0];
  const own = octets(address);
  const ethernet = [...broadcast, ...macToBytes(mac), arp >> 8, arp & 0xff];
  return Uint8Array.from([...ethernet, ...request, ...macToBytes(mac), ...own, ...nobody, ...own]);
}

function octets(address: string): number[] {
  return address.split('.').map(Number);
}

/** RFC 1071 */
function checksum(bytes: Uint8Array): number {
  let sum = 0;
  for (let i = 0; i < bytes.length; i += 2) sum += (bytes[i]! << 8) | bytes[i + 1]!;
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
  return ~sum & 0xffff;
}
