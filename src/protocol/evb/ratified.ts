import { malformed, ok, type Result } from '../../base/result.ts';

/*
 *  0          3         4           5           6           7            8           9
 * +----------+---------+-----------+-----------+-----------+------------+-----------+
 * | 00-80-C2 | 0x0D    | EVB       | EVB       | R (3)     | mode (2)   | rsvd (2)  |
 * |          |         | bridge    | station   | RTE (5)   | ROL (1)    | ROL (1)   |
 * |          |         | status    | status    |           | RWD (5)    | RKA (5)   |
 * +----------+---------+-----------+-----------+-----------+------------+-----------+
 * bridge status:  … BGID 0x04 RRCAP 0x02 RRCTR 0x01     station status: … SGID 0x08 RRREQ 0x04 RRSTAT 0x03
 */

/** The EVB TLV of 802.1Qbg-2012 (802.1Q annex D.2.12), after OUI and subtype. */
export interface EvbTlv {
  readonly mode: EvbRole;
  readonly bridge: EvbBridgeStatus;
  readonly station: EvbStationStatus;
  /** R: how often ECP sends again, 0 to 7 */
  readonly retries: number;
  /** RTE: an ECP sender waits 10 µs · 2^RTE for the acknowledgement; 0 to 31 */
  readonly rte: number;
  /** RWD: the bridge may take 10 µs · 2^RWD to find resources; 0 to 31 */
  readonly rwd: number;
  /** whether that RWD is the other side's */
  readonly rwdRemote: boolean;
  /** RKA: the station renews every 10 µs · 2^RKA; 0 to 31 */
  readonly rka: number;
  readonly rkaRemote: boolean;
}

export type EvbRole = 'bridge' | 'station';

export interface EvbBridgeStatus {
  /** the bridge handles group ids */
  readonly bgid: boolean;
  /** the bridge is capable of reflective relay */
  readonly rrcap: boolean;
  /** reflective relay is on */
  readonly rrctr: boolean;
}

export interface EvbStationStatus {
  /** the station handles group ids */
  readonly sgid: boolean;
  /** the station requests reflective relay */
  readonly rrreq: boolean;
  /** what the station knows of the bridge's RRCTR: 0 off, 1 on, 3 nothing yet (2 is reserved) */
  readonly rrstat: number;
}

export const evbOui = 0x0080c2;
export const evbSubtype = 0x0d;
const length = 5;
const modes = { bridge: 1, station: 2 } as const;
const remote = 0x20;
const exponent = 0x1f;

/**
 * Takes the five octets after OUI and subtype. Any other length is refused: a longer TLV is somebody else's
 * format (and it is known to crash lldpad), a shorter one leaves timers undefined.
 */
export function decodeEvbTlv(info: Uint8Array): Result<EvbTlv> {
  if (info.length !== length) return malformed('EVB TLV', `${info.length + 4} octets; it has exactly 9`);
  const [bridge, station, ecp, resource, keepAlive] = info as unknown as [
    number,
    number,
    number,
    number,
    number,
  ];
  const mode = resource >> 6;
  if (mode !== modes.bridge && mode !== modes.station)
    return malformed('EVB TLV', `EVB mode ${mode}; 1 is a bridge, 2 a station`);
  return ok({
    mode: mode === modes.bridge ? 'bridge' : 'station',
    bridge: { bgid: (bridge & 4) !== 0, rrcap: (bridge & 2) !== 0, rrctr: (bridge & 1) !== 0 },
    station: { sgid: (station & 8) !== 0, rrreq: (station & 4) !== 0, rrstat: station & 3 },
    retries: ecp >> 5,
    rte: ecp & exponent,
    rwd: resource & exponent,
    rwdRemote: (resource & remote) !== 0,
    rka: keepAlive & exponent,
    rkaRemote: (keepAlive & remote) !== 0,
  });
}

export function encodeEvbTlv(tlv: EvbTlv): Uint8Array<ArrayBuffer> {
  const { bridge, station } = tlv;
  return Uint8Array.of(
    (bridge.bgid ? 4 : 0) | (bridge.rrcap ? 2 : 0) | (bridge.rrctr ? 1 : 0),
    (station.sgid ? 8 : 0) | (station.rrreq ? 4 : 0) | station.rrstat,
    (tlv.retries << 5) | tlv.rte,
    (modes[tlv.mode] << 6) | (tlv.rwdRemote ? remote : 0) | tlv.rwd,
    (tlv.rkaRemote ? remote : 0) | tlv.rka,
  );
}
