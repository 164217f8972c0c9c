import { isGroup, macFromBytes, type MacAddress } from '../../domain/mac-address.ts';

/** An Ethernet frame, taken apart as far as forwarding needs it. */
export interface Frame {
  readonly destination: MacAddress;
  readonly source: MacAddress;
  /** VID of its first tag; 0 without a tag and in a priority tag */
  readonly wireVid: number;
  readonly tagged: boolean;
  /** priority code point and drop eligibility, in the place they have in a tag; 0 without one */
  readonly priority: number;
  readonly etherType: number;
  /** its tag is an 802.1ad one, or there is another behind it */
  readonly foreign: boolean;
  /** the frame without its first tag */
  readonly untagged: Uint8Array;
}

const headerLength = 14;
const customerTag = 0x8100;
const tags: readonly number[] = [customerTag, 0x88a8];

/** Null for what is too short to be a frame. */
export function parseFrame(bytes: Uint8Array): Frame | null {
  if (bytes.length < headerLength) return null;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const first = view.getUint16(12);
  const isTagged = tags.includes(first);
  if (isTagged && bytes.length < headerLength + 4) return null;
  const tci = isTagged ? view.getUint16(14) : 0;
  const untagged = isTagged ? Uint8Array.from([...bytes.subarray(0, 12), ...bytes.subarray(16)]) : bytes;
  const etherType = isTagged ? view.getUint16(16) : first;
  return {
    destination: macFromBytes(bytes, 0),
    source: macFromBytes(bytes, 6),
    wireVid: tci & 0xfff,
    tagged: isTagged,
    priority: tci & 0xf000,
    etherType,
    foreign: isTagged && (first !== customerTag || tags.includes(etherType)),
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
