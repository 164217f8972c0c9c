import type { Adjacency } from './adjacency.ts';
import type { SChannel } from './evb/cdcp.ts';
import type { EvbOperation } from './evb/parameters.ts';
import type { Timing } from './evb/timers.ts';
import type { IgnoreReason } from './ignored.ts';
import type { Neighbour } from './lldp/neighbour.ts';

/** What either end of a link tells of itself: plain data. */
export interface PortState {
  readonly link: 'up' | 'down';
  readonly neighbour: Neighbour | null;
  readonly evb: Omit<EvbOperation, 'timing'>;
  /** as given to the station; none if it did not ask (a station's own are always none) */
  readonly sChannels: readonly SChannel[];
  /** what the exponents in force amount to, in ms */
  readonly timers: Timing;
  /** ECP and VDP as in IEEE8021-EVB-MIB */
  readonly counters: {
    readonly lldp: { readonly sent: number; readonly received: number };
    readonly ecp: {
      readonly txFrameCount: number;
      readonly txRetryCount: number;
      readonly txFailures: number;
      readonly rxFrameCount: number;
      readonly rxRepeatCount: number;
    };
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
  const { operation, neighbour, isUp, counters, sChannels } = adjacency;
  const { timing, ...evb } = operation;
  return {
    link: isUp ? 'up' : 'down',
    neighbour,
    evb,
    sChannels,
    timers: timing,
    counters: { ...counters, vdp: { ...vdp } },
  };
}
