import { macToBytes, parseMac } from '../../../src/domain/mac-address.ts';
import { arp, ethernet, ipv4, ipv6, onesSum, protocols } from '../relay/frames.ts';

/** Frames that a protocol stack would act on: their checksums are right, and they are to any group or address. */

export function routerAdvertisement(to: string, source: string): Uint8Array {
  const mac = macToBytes(parseMac(source));
  const prefix = [0x20, 0x01, 0x0d, 0xb8, 0x0b, 0xad, ...Array<number>(10).fill(0)];
  const lifetimes = [0, 0, 0x1c, 0x20, 0, 0, 0x1c, 0x20, 0, 0, 0, 0];
  const octets = [134, 0, 0, 0, 64, 0, 0x07, 0x08, 0, 0, 0, 0, 0, 0, 0, 0];
  octets.push(1, 1, ...mac, 3, 4, 64, 0xc0, ...lifetimes, ...prefix);
  const packet = ipv6('fe80::bad', 'ff02::1', { protocol: protocols.icmpv6, octets });
  packet[7] = 255;
  const pseudo = Uint8Array.from([
    ...packet.subarray(8, 40),
    0,
    0,
    octets.length >> 8,
    octets.length & 0xff,
    0,
    0,
    0,
    protocols.icmpv6,
    ...packet.subarray(40),
  ]);
  new DataView(packet.buffer).setUint16(42, ~onesSum(pseudo) & 0xffff);
  return ethernet(to, source, 0x86dd, packet);
}

export function arpRequest(to: string, source: string, sender: string, target: string): Uint8Array {
  const frame = arp(source, sender, target);
  frame.set(macToBytes(parseMac(to)));
  return frame;
}

/** Without a checksum, which UDP over IPv4 may be. */
export function udp(to: string, source: string, from: string, target: string, port: number): Uint8Array {
  const octets = [0, 99, port >> 8, port & 0xff, 0, 12, 0, 0, 1, 2, 3, 4];
  return ethernet(to, source, 0x0800, ipv4(from, target, { octets }));
}

export function echoRequest(to: string, source: string, from: string, target: string): Uint8Array {
  return ethernet(
    to,
    source,
    0x0800,
    ipv4(from, target, { protocol: protocols.icmp, octets: summed([8, 0, 0, 0, 0, 1, 0, 1]) }),
  );
}

/** A query to all hosts. */
export function igmp(to: string, source: string, from: string): Uint8Array {
  const octets = summed([0x11, 100, 0, 0, 0, 0, 0, 0]);
  return ethernet(to, source, 0x0800, ipv4(from, '224.0.0.1', { protocol: 2, octets }));
}

/** What the frame carries, in 802.3 LLC/SNAP. */
export function snap(frame: Uint8Array): Uint8Array {
  const payload = [0xaa, 0xaa, 0x03, 0, 0, 0, ...frame.subarray(12)];
  return Uint8Array.from([...frame.subarray(0, 12), payload.length >> 8, payload.length & 0xff, ...payload]);
}

/** With the checksum of all, at its third octet. */
function summed(octets: number[]): number[] {
  const sum = ~onesSum(Uint8Array.from(octets)) & 0xffff;
  return [...octets.slice(0, 2), sum >> 8, sum & 0xff, ...octets.slice(4)];
}
