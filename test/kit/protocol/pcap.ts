import { globSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

export interface Capture {
  readonly name: string;
  /** 1-based, as tcpdump counts */
  readonly number: number;
  readonly octets: Uint8Array;
}

const magic = 0xa1b2c3d4;
const fixtures = fileURLToPath(new URL('../../fixtures/', import.meta.url));

/** lldpad's and our own. */
export function allCaptures(): Capture[] {
  const files = globSync('*/*.pcap', { cwd: fixtures }).sort();
  return files.flatMap((file) => readPcap(file.replace(/\.pcap$/, '')));
}

/** One of our own, as test/fixtures/hairpin has it. */
export function ownCapture(name: string): { readonly file: Uint8Array; readonly frames: Capture[] } {
  return { file: readFileSync(`${fixtures}hairpin/${name}.pcap`), frames: readPcap(`hairpin/${name}`) };
}

export interface TimedFrame {
  /** in ms */
  readonly at: number;
  readonly octets: Uint8Array;
}

export function writePcap(frames: readonly TimedFrame[]): Uint8Array {
  const header = (length: number, fields: readonly (readonly [offset: number, value: number])[]) => {
    const octets = Buffer.alloc(length);
    for (const [offset, value] of fields) octets.writeUInt32LE(value, offset);
    return octets;
  };
  const records = frames.flatMap(({ at, octets }) => {
    const [seconds, microseconds] = [Math.floor(at / 1000), Math.round((at % 1000) * 1000)];
    const fields = [seconds, microseconds, octets.length, octets.length];
    return [
      header(
        16,
        fields.map((value, i) => [4 * i, value] as const),
      ),
      octets,
    ];
  });
  const file = [
    [0, magic],
    [4, 2 | (4 << 16)],
    [16, 65_535],
    [20, 1],
  ] as const;
  return Buffer.concat([header(24, file), ...records]);
}

/** Reads the capture of lldpad NAME.pcap. */
export function readCapture(name: string): Capture[] {
  return readPcap(`lldpad/${name}`);
}

/** Little-endian, microseconds, link type Ethernet. */
function readPcap(name: string): Capture[] {
  const file = readFileSync(`${fixtures}${name}.pcap`);
  if (file.readUInt32LE(0) !== magic) throw new Error(`${name}: not a little-endian pcap file`);
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
