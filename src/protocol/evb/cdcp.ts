import type { Vid } from '../../domain/vid.ts';
import { bigEndian, u24 } from '../../base/octets.ts';
import { malformed, ok, type Result } from '../../base/result.ts';

/*
 *  0          3         4                                             8              11
 * +----------+---------+------+----------+-------+-----------+--------+--------------+-----
 * | 00-80-C2 | 0x0E    | role | reserved | SComp | reserved  | ChnCap | SCID, SVID   |  …
 * |          |         | (1)  | (3)      | (1)   | (15)      | (12)   | (12 each)    |
 * +----------+---------+------+----------+-------+-----------+--------+--------------+-----
 */

/** The S-channel discovery and configuration TLV (802.1Q 42.4, D.2.13), after OUI and subtype. */
export interface CdcpTlv {
  readonly role: 'bridge' | 'station';
  /** the sender has an S-VLAN component, so that there can be S-channels at all */
  readonly sComponent: boolean;
  /** how many S-channels the sender can have, 0 to 4095 */
  readonly capacity: number;
  /** at most 167 */
  readonly channels: readonly SChannel[];
}

export interface SChannel {
  /** S-channel identifier, chosen by the station; 1 is the default channel, which is untagged */
  readonly scid: number;
  /** the S-VLAN that carries it; 0: the station asks for one */
  readonly svid: number;
}

export const cdcpOui = 0x0080c2;
export const cdcpSubtype = 0x0e;
export const defaultChannel: SChannel = { scid: 1, svid: 1 };
const fixedLength = 4;
const pairLength = 3;
const stationRole = 0x80;
const sComponent = 0x08;

export function decodeCdcpTlv(info: Uint8Array): Result<CdcpTlv> {
  if (info.length < fixedLength || (info.length - fixedLength) % pairLength !== 0)
    return malformed('CDCP TLV', `${info.length + 4} octets; it has 8, and 3 for each S-channel`);
  const channels: SChannel[] = [];
  for (let at = fixedLength; at < info.length; at += pairLength) {
    const pair = u24(info, at);
    channels.push({ scid: pair >> 12, svid: pair & 0xfff });
  }
  return ok({
    role: info[0]! & stationRole ? 'station' : 'bridge',
    sComponent: (info[0]! & sComponent) !== 0,
    capacity: ((info[2]! & 0x0f) << 8) | info[3]!,
    channels,
  });
}

export function encodeCdcpTlv(tlv: CdcpTlv): Uint8Array<ArrayBuffer> {
  return Uint8Array.from([
    (tlv.role === 'station' ? stationRole : 0) | (tlv.sComponent ? sComponent : 0),
    0,
    ...bigEndian(tlv.capacity, 2),
    ...tlv.channels.flatMap(({ scid, svid }) => bigEndian((scid << 12) | svid, pairLength)),
  ]);
}

/** The S-VLANs that a bridge port gives to S-channels. */
export interface SChannelPool {
  /** the S-channels that the port can have, the default one included; 1: no other */
  readonly capacity: number;
  readonly svids: readonly Vid[];
}

/** Until the relay knows S-tags. */
export const onlyTheDefaultChannel: SChannelPool = { capacity: 1, svids: [] };

/**
 * The bridge's answer to a station's TLV (802.1Q 42.4.3): the default channel, then each channel asked for, in the
 * station's order, as long as there is capacity and an S-VLAN. A channel keeps the S-VLAN that it has in `before`.
 */
export function assignChannels(
  asked: CdcpTlv,
  { capacity, svids }: SChannelPool,
  before: readonly SChannel[],
): CdcpTlv {
  const wanted = [...new Set(asked.channels.map(({ scid }) => scid))].filter(
    (scid) => scid !== 0 && scid !== defaultChannel.scid,
  );
  const kept = new Map(before.map(({ scid, svid }) => [scid, svid]));
  const free = svids.filter((svid) => !wanted.some((scid) => kept.get(scid) === svid));
  const channels = [defaultChannel];
  for (const scid of wanted) {
    if (channels.length >= capacity) break;
    const svid = kept.get(scid) ?? free.shift();
    if (svid !== undefined) channels.push({ scid, svid });
  }
  return { role: 'bridge', sComponent: capacity > 1, capacity, channels };
}
