import type { FilterEntry } from '../../domain/filter-info.ts';
import { macFromBytes, macToBytes } from '../../domain/mac-address.ts';
import { managerIdFromBytes, managerIdToBytes, type ManagerId } from '../../domain/manager-id.ts';
import type { NullVid, Vid } from '../../domain/vid.ts';
import { vsiIdFromBytes, vsiIdToBytes } from '../../domain/vsi-id.ts';
import type { EvbRole } from '../evb/ratified.ts';
import { bigEndian, u16, u24 } from '../../base/octets.ts';
import { malformed, ok, type Result } from '../../base/result.ts';
import { decodeTlvs, longestInfo, type Tlv } from '../tlv.ts';
import { noHints, vdpModes, type VdpErrorCode } from './association.ts';
import { managerIdOf, type AssociationTlv, type UnusableRequest, type VdpTlv } from './tlv.ts';

/*
 * An ECPDU of draft 0.2 holds association TLVs (type 127) and an End TLV:
 *  0          3      4      5          6         7              10        11               27       28          30
 * +----------+------+------+----------+---------+--------------+---------+----------------+--------+-----------+-----------
 * | 00-1B-3F | 0x02 | mode | response | manager | VSI type id  | version | VSIID          | format | number of | MAC (6),
 * |          |      |      |          | id      |              |         |                | = 2    | entries   | VID (2) …
 * +----------+------+------+----------+---------+--------------+---------+----------------+--------+-----------+-----------
 * mode: 0 PRE-ASSOC, 1 PRE-ASSOC with resource reservation, 2 ASSOC, 3 DE-ASSOC
 * The bridge answers with the same TLV and a response; a request has response 0, and so has success.
 */

const oui = 0x001b3f;
const subtype = 0x02;
const organizational = 127;
const fixedLength = 30;
const entryLength = 8;
const macVid = 2;
const success = 0;

/** How refusals are told: 1 invalid format, 2 insufficient resources, 4 the VSI may not have this VSI type. */
const responses: Readonly<Record<VdpErrorCode, number>> = {
  'invalid format': 1,
  'insufficient resources': 2,
  'unable to contact VSI manager': 2,
  'other failure': 4,
  'invalid VID, GroupID or MAC address': 1,
};
const refusals: Readonly<Record<number, VdpErrorCode>> = {
  1: 'invalid format',
  2: 'insufficient resources',
};

/** Who reads decides what a TLV without a refusal is: for a bridge a request, for a station an answer. */
export function decodeDraftVdp(reader: EvbRole, bytes: Uint8Array): Result<VdpTlv[]> {
  const decoded = decodeTlvs(bytes);
  if (!decoded.ok) return malformed('VDPDU', decoded.error.message);
  const tlvs: VdpTlv[] = [];
  for (const tlv of decoded.value) {
    const { type, info } = tlv;
    if (type !== organizational || info.length < 4 || u24(info, 0) !== oui || info[3] !== subtype) {
      tlvs.push({ kind: 'other', ...tlv });
      continue;
    }
    const mode = vdpModes[info[4]!];
    if (info.length < fixedLength) {
      const problem = `association has ${info.length} octets; it has at least ${fixedLength}`;
      tlvs.push({ kind: 'other', ...tlv, problem });
    } else if (mode === undefined)
      tlvs.push({ kind: 'other', ...tlv, problem: `mode ${info[4]}; it is 0 to 3` });
    else tlvs.push(decodeAssociation(reader, mode, info));
  }
  return ok(tlvs);
}

/** Whether the draft has words for it. */
export function isInDraft(tlv: AssociationTlv): boolean {
  if (managerIdOctet(managerIdOf(tlv)) === null) return false;
  if (tlv.kind === 'unusable') return true;
  const { format, entries } = tlv.filter;
  return format === 'mac-vid' && fixedLength + entries.length * entryLength <= longestInfo;
}

/** Null if the draft has no words for it. */
export function encodeDraftVdp(tlv: AssociationTlv): Tlv | null {
  if (!isInDraft(tlv)) return null;
  const managerId = managerIdOctet(managerIdOf(tlv))!;
  if (tlv.kind === 'unusable') {
    const info = Uint8Array.from(tlv.info);
    if (tlv.refusal !== null && tlv.refusal !== refusalIn(info)) info[5] = responses[tlv.refusal];
    return { type: organizational, info };
  }
  const { mode, vsiId, profile, filter } = tlv;
  const refusal = tlv.kind === 'answer' ? tlv.refusal : null;
  const info = Uint8Array.from([
    ...bigEndian(oui, 3),
    subtype,
    vdpModes.indexOf(mode),
    refusal ? responses[refusal.code] : success,
    managerId,
    ...bigEndian(profile.typeId, 3),
    profile.typeVersion,
    ...vsiIdToBytes(vsiId),
    macVid,
    ...bigEndian(filter.entries.length, 2),
    ...filter.entries.flatMap(({ mac, vid }) => [...macToBytes(mac!), ...bigEndian(vid, 2)]),
  ]);
  return { type: organizational, info };
}

function decodeAssociation(reader: EvbRole, mode: (typeof vdpModes)[number], info: Uint8Array): VdpTlv {
  const managerId = managerIdFromBytes(info.subarray(6, 7));
  const refusal = refusalIn(info);
  const unusable = (code: VdpErrorCode, message: string): UnusableRequest => ({
    kind: 'unusable',
    mode,
    managerId,
    info,
    refusal,
    problem: { code, message },
  });
  if (info[27] !== macVid)
    return unusable('invalid format', `filter format ${info[27]}; in draft 0.2 it is ${macVid}`);
  const count = u16(info, 28);
  if (count === 0 || info.length !== fixedLength + count * entryLength)
    return unusable('invalid format', `${count} filter entries in ${info.length} octets`);
  const entries: FilterEntry[] = [];
  for (let offset = fixedLength; offset < info.length; offset += entryLength) {
    const vid = u16(info, offset + 6);
    if (vid > 4094) return unusable('invalid VID, GroupID or MAC address', `VID ${vid}; it is 0 to 4094`);
    entries.push({ mac: macFromBytes(info, offset), vid: vid as Vid | NullVid });
  }
  const subject = {
    mode,
    vsiId: vsiIdFromBytes(info, 11),
    profile: { managerId, typeId: u24(info, 7), typeVersion: info[10]! },
    filter: { format: 'mac-vid', entries },
  } as const;
  // To a station, a de-associate may be the bridge's own as well as its answer; the station's machine can tell.
  const request = refusal === null && (reader === 'bridge' || mode === 'de-associate');
  if (request) return { kind: 'request', ...subject, hints: noHints };
  return {
    kind: 'answer',
    ...subject,
    refusal: refusal === null ? null : { code: refusal, keep: false, hard: false },
  };
}

function refusalIn(info: Uint8Array): VdpErrorCode | null {
  const response = info[5]!;
  return response === success ? null : (refusals[response] ?? 'other failure');
}

/** The draft has one octet for it; null if it needs more. */
function managerIdOctet(id: ManagerId): number | null {
  const [first, ...rest] = managerIdToBytes(id);
  return rest.every((octet) => octet === 0) ? first! : null;
}
