import type { Adjacency } from './adjacency.ts';
import type { EcpCounters, UpperLayerName } from './ecp/ecp.ts';
import type { SChannel } from './evb/cdcp.ts';
import type { EvbOperation } from './evb/parameters.ts';
import type { Timing } from './evb/timers.ts';
import type { IgnoreReason } from './ignored.ts';
import type { OtherNeighbour } from './lldp/listener.ts';
import type { Neighbour } from './lldp/neighbour.ts';
import type { SecondStation } from './neighbourhood.ts';
import type { Speaker } from './place.ts';
import type { Trust } from './trust.ts';

/** What either end of a link tells of itself: plain data. */
export interface PortState {
  readonly link: 'up' | 'down';
  readonly neighbour: Neighbour | null;
  /** why whoever has the port is believed; null: nobody has it */
  readonly trust: Trust | null;
  /** whose port it is, also while it is not heard */
  readonly holder: Speaker | null;
  /** until when the port waits for a holder that is not heard, in ms of the machine's clock */
  readonly heldUntil: number | null;
  /** who speaks LLDP to other addresses; for people to read */
  readonly otherNeighbours: readonly OtherNeighbour[];
  /** the last who spoke as a station beside the neighbour, since the link came up */
  readonly secondStation: SecondStation | null;
  readonly evb: Omit<EvbOperation, 'timing'>;
  /** as given to the station; none if it did not ask (a station's own are always none) */
  readonly sChannels: readonly SChannel[];
  /** what the exponents in force amount to, in ms */
  readonly timers: Timing;
  /** ECP and VDP as in IEEE8021-EVB-MIB */
  readonly counters: {
    readonly lldp: { readonly sent: number; readonly received: number };
    readonly ecp: EcpCounters;
    /** the same for each upper layer */
    readonly ecpByLayer: Readonly<Record<UpperLayerName, EcpCounters>>;
    readonly vdp: VdpCounters;
    readonly ignored: Readonly<Partial<Record<IgnoreReason, number>>>;
  };
}

export interface VdpCounters {
  readonly commandsSucceeded: number;
  readonly commandsFailed: number;
  /** failed, with what was held before kept */
  readonly commandReverts: number;
}

export function portState(adjacency: Adjacency, vdp: VdpCounters): PortState {
  const { operation, neighbour, otherNeighbours, secondStation, isUp, counters, sChannels } = adjacency;
  const { trust, gate } = adjacency;
  const { timing, ...evb } = operation;
  return {
    link: isUp ? 'up' : 'down',
    neighbour,
    trust,
    holder: gate.holder,
    heldUntil: gate.heldUntil,
    otherNeighbours,
    secondStation,
    evb,
    sChannels,
    timers: timing,
    counters: { ...counters, vdp: { ...vdp } },
  };
}
