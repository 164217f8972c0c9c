/** Sizes, offsets and packed words of bpf/layout.h; the C file asserts the same numbers. */
import ipaddr from 'ipaddr.js';
import { macFromBytes, macToBytes, type MacAddress } from '../../../domain/mac-address.ts';
import type { NullVid, Vid } from '../../../domain/vid.ts';
import {
  hostProtocols,
  type HostAccess,
  type HostProtocol,
  type PortName,
  type RelayPort,
} from '../../contract/relay.ts';
import { dropReasons, type DropReason } from '../../../domain/drop-reason.ts';

export const layoutVersion = 4n;
export const portCount = 1024;
export const slotCount = 16_384;
export const profileCount = 2048;
export const nodeCount = 65_536;
export const tenantCount = 4096;
export const vlanCount = 4096;
export const interfaceCount = 4096;
export const hintCount = 65_536;
export const sourceCapacity = 65_536;
export const destinationCapacity = 32_768;

export const settingsSize = 32;
export const portSize = 648;
export const profileSize = 640;
export const tenantSize = 72;
export const slotSize = 1536;
export const portTallySize = 272;
export const recordSize = 652;
export const sourceKeySize = 12;
export const destinationKeySize = 8;
export const ipKeySize = 24;
export const claimSize = 20;
export const textKeySize = 8;
export const textSize = 512;
/** that a tally has room for, in 64-bit words */
export const reasonWords = 32;

/** A Place with a port's number for its name, and which of the VSI's four tallies counts for it. */
export interface NumberedPlace {
  readonly port: number;
  readonly wireVid: Vid | NullVid;
  readonly tally: number;
}

export function packPlace(place: NumberedPlace | null): number {
  return place ? place.port | (place.wireVid << 10) | (place.tally << 22) : 0;
}

export function unpackPlace(bits: number): NumberedPlace | null {
  if (!bits) return null;
  return { port: bits & 0x3ff, wireVid: ((bits >> 10) & 0xfff) as Vid | NullVid, tally: (bits >> 22) & 3 };
}

/** A VSI's one word: 24 bits active, 24 bits armed, 16 bits profile. */
export function packVsi(active: NumberedPlace | null, armed: NumberedPlace | null, profile: number): bigint {
  return BigInt(packPlace(active)) | (BigInt(packPlace(armed)) << 24n) | (BigInt(profile) << 48n);
}

export function unpackVsi(word: bigint) {
  return {
    active: unpackPlace(Number(word & 0xffffffn)),
    armed: unpackPlace(Number((word >> 24n) & 0xffffffn)),
    profile: Number(word >> 48n),
  };
}

/** Six octets as the low 48 bits of a word, the first octet lowest. */
export function macWord(mac: MacAddress): bigint {
  const bytes = new Uint8Array(8);
  bytes.set(macToBytes(mac));
  return new DataView(bytes.buffer).getBigUint64(0, true);
}

/** The value of an entry in `sources` or `destinations`. */
export function addressValue(mac: MacAddress, slot: number, tally = 0): bigint {
  return macWord(mac) | (BigInt(slot) << 48n) | (BigInt(tally) << 62n);
}

/** Where the hint at an entry of `destinations` is (bpf/vsi.h does the same). */
export function destinationHint(mac: MacAddress, vlan: number): number {
  return hintOf(macWord(mac) | (BigInt(vlan) << 48n));
}

/** Where the hint at an entry of `sources` is. */
export function sourceHint(mac: MacAddress, wireVid: number, port: number): number {
  return hintOf((macWord(mac) | (BigInt(wireVid) << 48n)) ^ (BigInt(port) * 0xc2b2ae3d27d4eb4fn));
}

function hintOf(key: bigint): number {
  return Number(BigInt.asUintN(64, key * 0x9e3779b97f4a7c15n) >> 48n);
}

/** A port and a moment, in ns. */
export function packSeen(port: number, at: bigint): bigint {
  return BigInt.asUintN(64, (at >> 4n) << 10n) | BigInt(port);
}

/** The port of a value that is a port and a moment. */
export function seenPort(value: Uint8Array<ArrayBuffer>): number {
  return new DataView(value.buffer).getUint16(0, true) & 0x3ff;
}

export function ipKey(slot: number, ip: string): Uint8Array<ArrayBuffer> {
  const octets = ipaddr.parse(ip).toByteArray();
  const key = new Uint8Array(ipKeySize);
  const view = new DataView(key.buffer);
  view.setUint32(0, slot, true);
  view.setUint32(4, octets.length === 4 ? 4 : 6, true);
  key.set(octets, 8);
  return key;
}

export function decodeIpKey(key: Uint8Array<ArrayBuffer>): { readonly slot: number; readonly ip: string } {
  const view = new DataView(key.buffer);
  const octets = key.subarray(8, view.getUint32(4, true) === 4 ? 12 : 24);
  return { slot: view.getUint32(0, true), ip: ipaddr.fromByteArray([...octets]).toString() };
}

export function sourceKey(mac: MacAddress, wireVid: number, port: number): Uint8Array<ArrayBuffer> {
  const key = new Uint8Array(sourceKeySize);
  key.set(macToBytes(mac));
  const view = new DataView(key.buffer);
  view.setUint16(6, wireVid, true);
  view.setUint32(8, port, true);
  return key;
}

export function decodeSourceKey(key: Uint8Array) {
  const view = new DataView(key.buffer, key.byteOffset);
  return {
    mac: macFromBytes(key),
    wireVid: view.getUint16(6, true) as Vid | NullVid,
    port: view.getUint32(8, true),
  };
}

export function destinationKey(mac: MacAddress, vlan: number): Uint8Array<ArrayBuffer> {
  const key = new Uint8Array(destinationKeySize);
  key.set(macToBytes(mac));
  new DataView(key.buffer).setUint16(6, vlan, true);
  return key;
}

export function u64(value: bigint): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, value, true);
  return bytes;
}

export function fromU64(value: Uint8Array<ArrayBuffer>): bigint {
  return new DataView(value.buffer).getBigUint64(0, true);
}

export function u32(value: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value, true);
  return bytes;
}

/** A 64-bit word for each drop reason, from `offset` on. */
export function decodeDropped(view: DataView, offset: number): Record<DropReason, number> {
  const dropped = {} as Record<DropReason, number>;
  dropReasons.forEach((reason, i) => {
    dropped[reason] = Number(view.getBigUint64(offset + 8 * i, true));
  });
  return dropped;
}

const kinds = ['', 'station', 'network', 'mirror'] as const;
const portOffsets = {
  ifindex: 0,
  kind: 4,
  reflects: 5,
  shares: 6,
  ownsQdisc: 7,
  native: 8,
  shaper: 24,
  peer: 32,
  longest: 36,
  carries: 40,
} as const;
const nameOffset = 552;
const sessionOffset = 568;
const hostOffsets = { address: 632, vlan: 640, protocols: 644 } as const;
const protocols = Object.keys(hostProtocols) as HostProtocol[];

/** A bit of a port's protocols that stands for the host access itself. */
const isHost = 1 << 31;

/** One element of `ports`, in the memory shared with the kernel. */
export class PortEntry {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;

  constructor(ports: Uint8Array<ArrayBuffer>, number: number) {
    this.#bytes = ports.subarray(number * portSize, (number + 1) * portSize);
    this.#view = new DataView(ports.buffer, number * portSize, portSize);
  }

  get used(): boolean {
    return this.#view.getUint8(portOffsets.kind) !== 0;
  }

  get ifindex(): number {
    return this.#view.getUint32(portOffsets.ifindex, true);
  }

  set ifindex(value: number) {
    this.#view.setUint32(portOffsets.ifindex, value, true);
  }

  get shares(): boolean {
    return this.#view.getUint8(portOffsets.shares) !== 0;
  }

  set shares(value: boolean) {
    this.#view.setUint8(portOffsets.shares, Number(value));
  }

  set reflects(value: boolean) {
    this.#view.setUint8(portOffsets.reflects, Number(value));
  }

  get nativeVlan(): number {
    return this.#view.getUint32(portOffsets.native, true);
  }

  set nativeVlan(vlan: number) {
    this.#view.setUint32(portOffsets.native, vlan, true);
  }

  /** bits per second, 0: none */
  get shaper(): number {
    return Number(this.#view.getBigUint64(portOffsets.shaper, true));
  }

  set shaper(rate: number) {
    this.#view.setBigUint64(portOffsets.shaper, BigInt(rate), true);
  }

  set peerDelivery(value: boolean) {
    this.#view.setUint32(portOffsets.peer, Number(value), true);
  }

  /** Of a frame without its tag, as the interface's MTU has it. */
  set longest(octets: number) {
    this.#view.setUint32(portOffsets.longest, octets, true);
  }

  /** For the driver: profiles name the port that their session had when they were written. */
  set session(name: string) {
    writeText(this.#bytes.subarray(sessionOffset, hostOffsets.address), name);
  }

  get host(): HostAccess | undefined {
    const address = this.#bytes.subarray(hostOffsets.address);
    const bits = this.#view.getUint32(hostOffsets.protocols, true);
    if (!(bits & isHost)) return undefined;
    return {
      vlan: (this.#view.getUint32(hostOffsets.vlan, true) || null) as Vid | null,
      address: macFromBytes(address),
      protocols: protocols.filter((_, i) => bits & (1 << i)),
    };
  }

  /** A frame may still find nothing to be the host's while that changes. */
  set host(host: HostAccess | undefined) {
    this.#view.setUint32(hostOffsets.vlan, 0, true);
    this.#view.setUint32(hostOffsets.protocols, 0, true);
    if (!host) return;
    this.#view.setBigUint64(hostOffsets.address, macWord(host.address), true);
    const bits = protocols.map((protocol, i) => (host.protocols.includes(protocol) ? 1 << i : 0));
    this.#view.setUint32(
      hostOffsets.protocols,
      bits.reduce((all, bit) => all | bit, isHost),
      true,
    );
    this.#view.setUint32(hostOffsets.vlan, host.vlan ?? 0, true);
  }

  carries(vlan: number): boolean {
    return (this.#bytes[portOffsets.carries + (vlan >> 3)]! & (1 << (vlan & 7))) !== 0;
  }

  carry(vlan: number, yes: boolean): void {
    const at = portOffsets.carries + (vlan >> 3);
    const bit = 1 << (vlan & 7);
    this.#bytes[at] = yes ? this.#bytes[at]! | bit : this.#bytes[at]! & ~bit;
  }

  /** Whether the driver made the port's clsact qdisc, and has to remove it. */
  get ownsQdisc(): boolean {
    return this.#view.getUint8(portOffsets.ownsQdisc) !== 0;
  }

  set ownsQdisc(value: boolean) {
    this.#view.setUint8(portOffsets.ownsQdisc, Number(value));
  }

  /** A fresh entry that forwards nothing yet: no reflective relay, no VLANs. */
  create(name: PortName, ifindex: number, port: RelayPort): void {
    this.#bytes.fill(0);
    this.ifindex = ifindex;
    writeText(this.#bytes.subarray(nameOffset, sessionOffset), name);
    this.#view.setUint8(portOffsets.kind, kinds.indexOf(port.kind));
  }

  /** The rest stays for programs that still see it. */
  release(): void {
    this.#view.setUint8(portOffsets.kind, 0);
  }

  decodeName(): PortName {
    return readText(this.#bytes.subarray(nameOffset, sessionOffset));
  }

  decode(): [PortName, RelayPort] {
    const name = this.decodeName();
    const kind = kinds[this.#view.getUint8(portOffsets.kind)];
    if (kind === 'mirror') {
      const session = readText(this.#bytes.subarray(sessionOffset, hostOffsets.address));
      return [name, { kind, session }];
    }
    const egress = {
      ...(this.shaper && { shaper: this.shaper }),
      ...(this.#view.getUint32(portOffsets.peer, true) && { peerDelivery: true as const }),
    };
    if (kind === 'station')
      return [name, { kind, reflectiveRelay: this.#view.getUint8(portOffsets.reflects) !== 0, ...egress }];
    const nativeVlan = (this.nativeVlan || null) as Vid | null;
    const vlans: Vid[] = [];
    for (let vlan = 1; vlan < 4095; vlan++) if (this.carries(vlan)) vlans.push(vlan as Vid);
    const { host } = this;
    return [name, { kind: 'network', nativeVlan, vlans, ...(host && { host }), ...egress }];
  }
}

export function writeText(to: Uint8Array, text: string): void {
  to.fill(0);
  to.set(Buffer.from(text));
}

export function readText(from: Uint8Array): string {
  const end = from.indexOf(0);
  return Buffer.from(end < 0 ? from : from.subarray(0, end)).toString();
}
