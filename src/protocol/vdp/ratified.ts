import {
  filterFormats,
  type FilterEntry,
  type FilterFormat,
  type FilterInfo,
} from '../../domain/filter-info.ts';
import { macFromBytes, macToBytes } from '../../domain/mac-address.ts';
import { managerIdFromBytes, managerIdToBytes, type ManagerId } from '../../domain/manager-id.ts';
import type { NullVid, Vid } from '../../domain/vid.ts';
import { vsiIdFromBytes, vsiIdToBytes } from '../../domain/vsi-id.ts';
import { bigEndian, concat, u16, u24, u32 } from '../../base/octets.ts';
import { malformed, ok, type Result } from '../../base/result.ts';
import { decodeTlvs, encodeTlvs, type Tlv } from '../tlv.ts';
import {
  vdpErrorCodes,
  vdpModes,
  type VdpAssociation,
  type VdpErrorCode,
  type VdpMode,
} from './association.ts';
import type { UnusableRequest, VdpTlv } from './tlv.ts';

/*
 * VDPDU: | manager id TLV (5): 16 octets | association TLV | … | End TLV (0) |
 *
 * association TLV, type 1 PRE-ASSOC, 2 PRE-ASSOC with resource reservation, 3 ASSOC, 4 DE-ASSOC:
 *  0        1              4         5        6                22       23              25
 * +--------+--------------+---------+--------+----------------+--------+---------------+-----------
 * | status | VSI type id  | version | VSIID  | VSIID          | filter | number of     | filter
 * |        |              |         | format |                | format | entries       | entries …
 * +--------+--------------+---------+--------+----------------+--------+---------------+-----------
 * status of a request: S 0x20, M 0x10    of an answer: ACK 0x40, KEEP 0x20, HARD 0x10, error code 0x0f
 *
 * filter entry, format 1: | VID | 2: | MAC (6) | VID | 3: | GroupID (4) | VID | 4: | GroupID (4) | MAC (6) | VID |
 * VID: | PS (1) | PCP (3) | VID (12) |
 */

/** The payload of an ECPDU of subtype 1 (802.1Q 41.2). All associations have the VDPDU's one manager id. */
export interface Vdpdu {
  readonly managerId: ManagerId;
  readonly tlvs: readonly VdpTlv[];
}

export const managerIdType = 5;
const managerIdLength = 16;
const uuid = 5;
const fixedLength = 25;
const status = { ack: 0x40, keep: 0x20, hard: 0x10, code: 0x0f, suspended: 0x20, migrating: 0x10 } as const;
const entryLengths = { vid: 2, 'mac-vid': 8, 'group-vid': 6, 'group-mac-vid': 12 } as const;
const formatNumbers = { vid: 1, 'mac-vid': 2, 'group-vid': 3, 'group-mac-vid': 4 } as const;
const otherFailure = 4;

export function decodeVdpdu(bytes: Uint8Array): Result<Vdpdu> {
  const decoded = decodeTlvs(bytes);
  if (!decoded.ok) return malformed('VDPDU', decoded.error.message);
  const [first, ...rest] = decoded.value;
  if (first?.type !== managerIdType || first.info.length !== managerIdLength)
    return malformed('VDPDU', 'does not begin with a manager id TLV of 16 octets');
  const managerId = managerIdFromBytes(first.info);
  const tlvs: VdpTlv[] = [];
  for (const tlv of rest) {
    if (tlv.type === managerIdType) return malformed('VDPDU', 'has a second manager id TLV');
    const mode = vdpModes[tlv.type - 1];
    const { length } = tlv.info;
    if (mode === undefined) tlvs.push({ kind: 'other', ...tlv });
    else if (length < fixedLength)
      tlvs.push({
        kind: 'other',
        ...tlv,
        problem: `${mode} has ${length} octets; it has at least ${fixedLength}`,
      });
    else tlvs.push(decodeAssociation(mode, managerId, tlv.info));
  }
  return ok({ managerId, tlvs });
}

/** Ends with an End TLV: without it lldpad parses on into what an older frame left in its buffer. */
export function encodeVdpdu({ managerId, tlvs }: Vdpdu): Uint8Array<ArrayBuffer> {
  return encodeTlvs([{ type: managerIdType, info: managerIdToBytes(managerId) }, ...tlvs.map(encodeVdpTlv)]);
}

/** An association needs 25 octets and its entries within a TLV's 511; the caller has seen to that. */
export function encodeVdpTlv(tlv: VdpTlv): Tlv {
  if (tlv.kind === 'other') return { type: tlv.type, info: tlv.info };
  const type = vdpModes.indexOf(tlv.mode) + 1;
  if (tlv.kind !== 'unusable') return { type, info: encodeAssociation(tlv) };
  const info = Uint8Array.from(tlv.info);
  if (tlv.refusal !== null && tlv.refusal !== refusalIn(info[0]!))
    info[0] = status.ack | vdpErrorCodes.indexOf(tlv.refusal);
  return { type, info };
}

function decodeAssociation(
  mode: VdpMode,
  managerId: ManagerId,
  info: Uint8Array,
): VdpAssociation | UnusableRequest {
  const flags = info[0]!;
  const unusable = (code: VdpErrorCode, message: string): UnusableRequest => ({
    kind: 'unusable',
    mode,
    managerId,
    info,
    refusal: refusalIn(flags),
    problem: { code, message },
  });
  if (info[5] !== uuid)
    return unusable('invalid format', `VSIID format ${info[5]}; only 5, a UUID, is known`);
  const format = filterFormats[info[22] as keyof typeof filterFormats] as FilterFormat | undefined;
  if (format === undefined) return unusable('invalid format', `filter format ${info[22]}; it is 1 to 4`);
  const count = u16(info, 23);
  const expected = fixedLength + count * entryLengths[format];
  if (count === 0 || info.length !== expected)
    return unusable('invalid format', `${count} filter entries in ${info.length} octets`);
  const entries = decodeEntries(format, info);
  if (entries === null) return unusable('invalid VID, GroupID or MAC address', 'VID 4095; it is 0 to 4094');

  const subject = {
    mode,
    vsiId: vsiIdFromBytes(info, 6),
    profile: { managerId, typeId: u24(info, 1), typeVersion: info[4]! },
    filter: { format, entries },
  };
  if ((flags & status.ack) === 0)
    return {
      kind: 'request',
      ...subject,
      hints: { migrating: (flags & status.migrating) !== 0, suspended: (flags & status.suspended) !== 0 },
    };
  const code = errorCode(flags);
  return {
    kind: 'answer',
    ...subject,
    refusal:
      code === null ? null : { code, keep: (flags & status.keep) !== 0, hard: (flags & status.hard) !== 0 },
  };
}

/** Of what no association can come of: null while it is only asked for. An answer is none to be answered. */
function refusalIn(flags: number): VdpErrorCode | null {
  return (flags & status.ack) === 0 ? null : (errorCode(flags) ?? 'other failure');
}

/** KEEP and HARD without a code are a success, as lldpad has it; a code nobody defined is an "other failure". */
function errorCode(flags: number): VdpErrorCode | null {
  const code = vdpErrorCodes[flags & status.code] ?? vdpErrorCodes[otherFailure];
  return code === 'success' ? null : code;
}

function decodeEntries(format: FilterFormat, info: Uint8Array): FilterEntry[] | null {
  const entries: FilterEntry[] = [];
  for (let offset = fixedLength; offset < info.length; offset += entryLengths[format]) {
    const end = offset + entryLengths[format];
    const word = u16(info, end - 2);
    const vid = word & 0xfff;
    if (vid === 0xfff) return null;
    entries.push({
      vid: vid as Vid | NullVid,
      ...(word & 0x8000 && { pcp: (word >> 12) & 7 }),
      ...(format.includes('mac') && { mac: macFromBytes(info, end - 8) }),
      ...(format.startsWith('group') && { group: u32(info, offset) }),
    });
  }
  return entries;
}

function encodeAssociation(tlv: VdpAssociation): Uint8Array {
  return concat([
    Uint8Array.from([
      encodeStatus(tlv),
      ...bigEndian(tlv.profile.typeId, 3),
      tlv.profile.typeVersion,
      uuid,
      ...vsiIdToBytes(tlv.vsiId),
    ]),
    encodeFilter(tlv.filter),
  ]);
}

function encodeStatus(tlv: VdpAssociation): number {
  if (tlv.kind === 'request')
    return (tlv.hints.migrating ? status.migrating : 0) | (tlv.hints.suspended ? status.suspended : 0);
  if (tlv.refusal === null) return status.ack;
  const { code, keep, hard } = tlv.refusal;
  return status.ack | (keep ? status.keep : 0) | (hard ? status.hard : 0) | vdpErrorCodes.indexOf(code);
}

function encodeFilter({ format, entries }: FilterInfo): Uint8Array {
  return Uint8Array.from([
    formatNumbers[format],
    ...bigEndian(entries.length, 2),
    ...entries.flatMap(({ vid, pcp, mac, group }) => [
      ...(group === undefined ? [] : bigEndian(group, 4)),
      ...(mac === undefined ? [] : macToBytes(mac)),
      ...bigEndian((pcp === undefined ? 0 : 0x8000 | (pcp << 12)) | vid, 2),
    ]),
  ]);
}

/** How many filter entries of `format` fit into one association TLV. */
export function mostEntries(format: FilterFormat): number {
  return Math.floor((511 - fixedLength) / entryLengths[format]);
}
