import type { Adjacency } from './adjacency.ts';
import type { EvbOperation } from './evb/negotiation.ts';
import {
  acknowledgementTime,
  keepAliveInterval,
  keepAliveSupervision,
  resourceWait,
  responseWait,
} from './evb/timers.ts';
import type { IgnoreReason } from './ignored.ts';
import type { Neighbour } from './lldp/neighbour.ts';

/** What either end of a link tells of itself: plain data. */
export interface PortState {
  readonly link: 'up' | 'down';
  readonly neighbour: Neighbour | null;
  readonly evb: EvbOperation;
  /** what the exponents in force amount to, in ms */
  readonly timers: {
    readonly acknowledgement: number;
    readonly resourceWait: number;
    readonly responseWait: number;
    readonly keepAlive: number;
    readonly keepAliveSupervision: number;
  };
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
  const { operation, neighbour, isUp, counters } = adjacency;
  return {
    link: isUp ? 'up' : 'down',
    neighbour,
    evb: operation,
    timers: {
      acknowledgement: acknowledgementTime(operation.timers),
      resourceWait: resourceWait(operation.timers),
      responseWait: responseWait(operation.timers),
      keepAlive: keepAliveInterval(operation.timers),
      keepAliveSupervision: keepAliveSupervision(operation.timers),
    },
    counters: { ...counters, vdp: { ...vdp } },
  };
}
