import { isGroup, macFromBytes, type MacAddress } from '../../domain/mac-address.ts';

/** An Ethernet frame, taken apart as far as forwarding needs it. */
export interface Frame {
  readonly destination: MacAddress;
  readonly source: MacAddress;
  /** VID of the 802.1Q tag; 0 without a tag and in a priority tag */
  readonly wireVid: number;
  /** priority code point and drop eligibility, in the place they have in a tag; 0 without one */
  readonly priority: number;
  readonly etherType: number;
  /** the frame without its 802.1Q tag */
  readonly untagged: Uint8Array;
}

const headerLength = 14;
const customerTag = 0x8100;
const arp = 0x0806;
const rarp = 0x8035;
const ipv6 = 0x86dd;

/** Null for what is too short to be a frame. */
export function parseFrame(bytes: Uint8Array): Frame | null {
  if (bytes.length < headerLength) return null;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const isTagged = view.getUint16(12) === customerTag;
  if (isTagged && bytes.length < headerLength + 4) return null;
  const tci = isTagged ? view.getUint16(14) : 0;
  const untagged = isTagged ? Uint8Array.from([...bytes.subarray(0, 12), ...bytes.subarray(16)]) : bytes;
  return {
    destination: macFromBytes(bytes, 0),
    source: macFromBytes(bytes, 6),
    wireVid: tci & 0xfff,
    priority: tci & 0xf000,
    etherType: view.getUint16(isTagged ? 16 : 12),
    untagged,
  };
}

/** The frame as it leaves: with the tag of `wireVid`, and perhaps another destination. */
export function dress(frame: Frame, wireVid: number, destination: Uint8Array | null): Uint8Array {
  const tci = wireVid | frame.priority;
  const tag = wireVid ? [customerTag >> 8, customerTag & 0xff, tci >> 8, tci & 0xff] : [];
  const { untagged } = frame;
  return Uint8Array.from([
    ...(destination ?? untagged.subarray(0, 6)),
    ...untagged.subarray(6, 12),
    ...tag,
    ...untagged.subarray(12),
  ]);
}

/** 01-80-C2-00-00-00 to -0F: never forwarded by a bridge (802.1Q table 8-1). */
export function isControl(frame: Frame): boolean {
  return frame.destination.startsWith('01:80:c2:00:00:0');
}

export function isGroupFrame(frame: Frame): boolean {
  return isGroup(frame.destination);
}

/** A gratuitous ARP (RFC 5227, 3), a RARP, or an unsolicited neighbour advertisement (RFC 4861, 7.2.6). */
export function isAnnouncement({ etherType, untagged }: Frame): boolean {
  const payload = untagged.subarray(headerLength);
  if (etherType === rarp) return true;
  if (etherType === arp) {
    const isIpv4 = payload.length >= 28 && payload[2] === 8 && payload[3] === 0 && payload[5] === 4;
    return isIpv4 && Buffer.compare(payload.subarray(14, 18), payload.subarray(24, 28)) === 0;
  }
  const solicited = 0x40;
  return (
    etherType === ipv6 &&
    payload.length >= 45 &&
    payload[6] === 58 &&
    payload[40] === 136 &&
    (payload[44]! & solicited) === 0
  );
}
