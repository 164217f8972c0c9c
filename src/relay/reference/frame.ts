import { etherTypes } from '../../domain/packet-numbers.ts';
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
  /** that of its SNAP header where it has one (see `inSnap`); below 0x600: it has none, but a length */
  readonly etherType: number;
  /** The EtherType stands behind a length, LLC and SNAP (RFC 1042; 802.1H), where few look and some receivers do. */
  readonly inSnap: boolean;
  /** its tag is none of 802.1Q's, or there is another behind it, or one in its SNAP header */
  readonly foreign: boolean;
  /** the frame without its first tag */
  readonly untagged: Uint8Array;
}

/** of Ethernet, without a tag */
export const headerLength = 14;
const { customerTag, serviceTag } = etherTypes;
/** those that a kernel takes off a frame */
const taken: readonly number[] = [customerTag, serviceTag];
/** with those of switches before 802.1ad */
const tags: readonly number[] = [...taken, 0x9100, 0x9200, 0x9300];
const leastEtherType = 0x600;

/** Null for what is too short to be a frame. */
export function parseFrame(bytes: Uint8Array): Frame | null {
  if (bytes.length < headerLength) return null;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const first = view.getUint16(12);
  const isTagged = taken.includes(first);
  if (isTagged && bytes.length < headerLength + 4) return null;
  const tci = isTagged ? view.getUint16(14) : 0;
  const untagged = isTagged ? Uint8Array.from([...bytes.subarray(0, 12), ...bytes.subarray(16)]) : bytes;
  const said = isTagged ? view.getUint16(16) : first;
  const inside = said < leastEtherType ? typeInSnap(untagged.subarray(headerLength)) : null;
  const etherType = inside ?? said;
  return {
    destination: macFromBytes(bytes, 0),
    source: macFromBytes(bytes, 6),
    wireVid: tci & 0xfff,
    tagged: isTagged,
    priority: tci & 0xf000,
    etherType,
    inSnap: inside !== null,
    foreign: (isTagged && first !== customerTag) || tags.includes(etherType),
    untagged,
  };
}

/** SNAP's service access point, for a group of them or not; who looks into SNAP does not always ask for the rest of LLC. */
export function isSnap([dsap = 0]: Uint8Array): boolean {
  return (dsap & 0xfe) === 0xaa;
}

/** OUI 00-00-00 (RFC 1042), or 00-00-F8 of bridges (802.1H), and an EtherType; null: the frame carries none. */
function typeInSnap(llc: Uint8Array): number | null {
  if (llc.length < 8 || !isSnap(llc)) return null;
  const isEthernet = llc[3] === 0 && llc[4] === 0 && (llc[5] === 0 || llc[5] === 0xf8);
  return isEthernet ? (llc[6]! << 8) | llc[7]! : null;
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
