import ipaddr from 'ipaddr.js';
import { etherTypes, ipProtocols } from '../../domain/packet-numbers.ts';
import { macToBytes, parseMac, type MacAddress } from '../../domain/mac-address.ts';

const broadcast = parseMac('ff:ff:ff:ff:ff:ff');
const allNodes = parseMac('33:33:00:00:00:01');
const { icmpv6 } = ipProtocols;

/** A reverse request (RFC 903) for the own address, as QEMU sends it for its guests: it tells switches, and nobody answers it. */
export function rarp(mac: MacAddress): Uint8Array {
  return ethernet(broadcast, mac, etherTypes.rarp, arpPacket(3, mac, nowhere, macToBytes(mac), nowhere));
}

/** An ARP announcement (RFC 5227, 2.3) or an unsolicited neighbour advertisement (RFC 4861, 7.2.6). */
export function addressAnnouncement(mac: MacAddress, ip: string): Uint8Array {
  const address = ipaddr.parse(ip).toByteArray();
  if (address.length === 16) return ethernet(allNodes, mac, etherTypes.ipv6, advertisement(mac, address));
  return ethernet(
    broadcast,
    mac,
    etherTypes.arp,
    arpPacket(1, mac, address, Array<number>(6).fill(0), address),
  );
}

const nowhere = [0, 0, 0, 0];

function ethernet(
  destination: MacAddress,
  source: MacAddress,
  etherType: number,
  payload: readonly number[],
): Uint8Array {
  const frame = new Uint8Array(Math.max(60, 14 + payload.length));
  frame.set([
    ...macToBytes(destination),
    ...macToBytes(source),
    etherType >> 8,
    etherType & 0xff,
    ...payload,
  ]);
  return frame;
}

function arpPacket(
  operation: number,
  mac: MacAddress,
  sender: readonly number[],
  target: Iterable<number>,
  targetAddress: readonly number[],
): number[] {
  const ethernetAndIpv4 = [0, 1, 8, 0, 6, 4];
  return [...ethernetAndIpv4, 0, operation, ...macToBytes(mac), ...sender, ...target, ...targetAddress];
}

function advertisement(mac: MacAddress, address: readonly number[]): number[] {
  const everybody = ipaddr.parse('ff02::1').toByteArray();
  const override = 0x20;
  const message = [136, 0, 0, 0, override, 0, 0, 0, ...address, 2, 1, ...macToBytes(mac)];
  const sum = checksum([...address, ...everybody, 0, 0, 0, message.length, 0, 0, 0, icmpv6, ...message]);
  message[2] = sum >> 8;
  message[3] = sum & 0xff;
  return [0x60, 0, 0, 0, 0, message.length, icmpv6, 255, ...address, ...everybody, ...message];
}

/** RFC 1071, over an even number of octets. */
function checksum(octets: readonly number[]): number {
  let sum = 0;
  for (let i = 0; i < octets.length; i += 2) sum += (octets[i]! << 8) | octets[i + 1]!;
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
  return ~sum & 0xffff;
}
