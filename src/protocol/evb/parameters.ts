import type { DialectName } from '../../domain/dialect.ts';
import type { EvbTimers, Timing } from './timers.ts';

/** What one side wants of EVB. */
export interface EvbParameters {
  /** bridge: is capable of reflective relay; station: requests it */
  readonly reflectiveRelay: boolean;
  /** GroupIDs may appear in filter info, if the other side says so too */
  readonly groupIds: boolean;
  readonly timers: EvbTimers;
  /** the versions to offer, the default being both; where both sides speak both, the ratified one rules */
  readonly dialects?: readonly DialectName[];
}

/** The same in one row, as a configuration file has it. */
export type EvbSettings = Omit<EvbParameters, 'timers'> & EvbTimers;

export function evbParameters({ retries, rte, rwd, rka, ...rest }: EvbSettings): EvbParameters {
  return { ...rest, timers: { retries, rte, rwd, rka } };
}

/** What both sides hold to. */
export interface EvbOperation {
  /** there is a neighbour, and each side knows that the other heard it */
  readonly negotiated: boolean;
  readonly dialect: DialectName;
  readonly reflectiveRelay: boolean;
  readonly groupIds: boolean;
  /** the exponents in force; draft 0.2 has none */
  readonly timers: EvbTimers | null;
  /** what the exponents amount to, in ms */
  readonly timing: Timing;
}

/** Timing aside: it follows of the timers and the version. */
export function sameOperation(a: EvbOperation, b: EvbOperation): boolean {
  return (
    a.negotiated === b.negotiated &&
    a.dialect === b.dialect &&
    a.reflectiveRelay === b.reflectiveRelay &&
    a.groupIds === b.groupIds &&
    a.timers?.retries === b.timers?.retries &&
    a.timers?.rte === b.timers?.rte &&
    a.timers?.rwd === b.timers?.rwd &&
    a.timers?.rka === b.timers?.rka
  );
}

/** How many VSIs one side holds, and may hold. */
export interface VsiCount {
  readonly held: number;
  readonly most: number;
}
