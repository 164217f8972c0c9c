import { parseUnicastMac } from '../domain/mac-address.ts';
import { udpFrame, type Endpoint } from '../lab/stream/frames.ts';

const headers = 42; // Ethernet, IPv4, UDP
export const udpPort = 40_000;

/** The i-th VM of a benchmark; its address is in `vmNetwork`. */
export function vm(i: number): Endpoint {
  const octets = [(i >> 16) & 255, (i >> 8) & 255, i & 255];
  const hex = octets.map((octet) => octet.toString(16).padStart(2, '0'));
  return { mac: parseUnicastMac(`52:54:00:${hex.join(':')}`), address: `10.${octets.join('.')}` };
}
export const vmNetwork = { address: '10.0.0.0', length: 8 };

/** A UDP datagram in a frame of so many octets, the check sequence not among them. */
export function frame(from: Endpoint, to: Endpoint, octets: number, port = udpPort): Uint8Array {
  return udpFrame(from, to, port, new Uint8Array(octets - headers));
}
