import { readFileSync } from 'node:fs';

export interface Capture {
  readonly name: string;
  /** 1-based, as tcpdump counts */
  readonly number: number;
  readonly octets: Uint8Array;
}

/** Reads the fixture NAME.pcap: little-endian, microseconds, link type Ethernet. */
export function readCapture(name: string): Capture[] {
  const file = readFileSync(new URL(`../../fixtures/lldpad/${name}.pcap`, import.meta.url));
  if (file.readUInt32LE(0) !== 0xa1b2c3d4) throw new Error(`${name}: not a little-endian pcap file`);
  const frames: Capture[] = [];
  for (let offset = 24; offset < file.length;) {
    const length = file.readUInt32LE(offset + 8);
    offset += 16;
    frames.push({
      name,
      number: frames.length + 1,
      octets: new Uint8Array(file.subarray(offset, offset + length)),
    });
    offset += length;
  }
  return frames;
}

export const ratifiedCaptures = [
  '00-ratified-both-stations-no-vdp-answer',
  '01-ratified-basic',
  '02-ratified-bridge-keepalive-timeout',
  '03-ratified-all-formats',
  '06-ratified-bridge-without-lldp',
  '08-ratified-libvirt-netlink',
];

export const draftCaptures = [
  '10-draft-lldpad-bridge-no-response',
  '11-draft-libvirt-netlink-thirdparty',
  '12-draft-lldptool-thirdparty',
  '13-draft-no-ecp-ack',
];
