import { bigEndian, u16 } from '../../base/octets.ts';
import { malformed, ok, type Result } from '../../base/result.ts';

/*
 *  0          3      4            5            6            7            8            10           12
 * +----------+------+------------+------------+------------+------------+------------+------------+-----+
 * | 00-1B-3F | 0x00 | supported  | supported  | current    | current    | supported  | current    | RTE |
 * |          |      | forwarding | capability | forwarding | capability | VSIs (16)  | VSIs (16)  |     |
 * +----------+------+------------+------------+------------+------------+------------+------------+-----+
 * forwarding: standard 0x80, reflective relay 0x40          capability: … RTE 0x04 ECP 0x02 VDP 0x01
 */

/** The EVB TLV of 802.1Qbg draft 0.2, after OUI and subtype, as lldpad and libvirt use it. It does not tell roles. */
export interface DraftEvbTlv {
  readonly supported: DraftEvbPart;
  /** what both sides support, as far as the sender knows */
  readonly current: DraftEvbPart;
  /** 0 to 31; nobody goes by it */
  readonly rte: number;
}

export interface DraftEvbPart {
  readonly standard: boolean;
  readonly reflectiveRelay: boolean;
  readonly capabilities: DraftCapabilities;
  /** 16 bits: how many VSIs there may be, or are */
  readonly vsis: number;
}

export interface DraftCapabilities {
  readonly rte: boolean;
  readonly ecp: boolean;
  readonly vdp: boolean;
}

export const draftOui = 0x001b3f;
export const draftEvbSubtype = 0x00;
const length = 9;
const forwarding = { standard: 0x80, reflectiveRelay: 0x40 } as const;
const capability = { rte: 4, ecp: 2, vdp: 1 } as const;

/** Takes the nine octets after OUI and subtype; any other length is refused, as for the ratified TLV. */
export function decodeDraftEvbTlv(info: Uint8Array): Result<DraftEvbTlv> {
  if (info.length !== length)
    return malformed('EVB TLV', `${info.length + 4} octets; of draft 0.2 it has 13`);
  return ok({
    supported: part(info[0]!, info[1]!, u16(info, 4)),
    current: part(info[2]!, info[3]!, u16(info, 6)),
    rte: info[8]! & 0x1f,
  });
}

export function encodeDraftEvbTlv({ supported, current, rte }: DraftEvbTlv): Uint8Array<ArrayBuffer> {
  return Uint8Array.from([
    ...octets(supported),
    ...octets(current),
    ...bigEndian(supported.vsis, 2),
    ...bigEndian(current.vsis, 2),
    rte,
  ]);
}

function part(mode: number, capabilities: number, vsis: number): DraftEvbPart {
  return {
    standard: (mode & forwarding.standard) !== 0,
    reflectiveRelay: (mode & forwarding.reflectiveRelay) !== 0,
    capabilities: {
      rte: (capabilities & capability.rte) !== 0,
      ecp: (capabilities & capability.ecp) !== 0,
      vdp: (capabilities & capability.vdp) !== 0,
    },
    vsis,
  };
}

function octets({ standard, reflectiveRelay, capabilities: { rte, ecp, vdp } }: DraftEvbPart): number[] {
  return [
    (standard ? forwarding.standard : 0) | (reflectiveRelay ? forwarding.reflectiveRelay : 0),
    (rte ? capability.rte : 0) | (ecp ? capability.ecp : 0) | (vdp ? capability.vdp : 0),
  ];
}
