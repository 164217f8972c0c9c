import type { MacAddress } from '../../domain/mac-address.ts';
import type { PortCount, Timestamp } from '../../domain/migration.ts';
import type { PortName, Stranger, VsiCounters } from '../../relay/contract/relay.ts';
import type { DropReason } from '../../domain/drop-reason.ts';

/** What the relay had counted for one VSI at one moment, by port. */
export type Tally = ReadonlyMap<PortName, Count>;

export interface Count {
  readonly fromVm: number;
  readonly toVm: number;
  /** without reasons that never occurred; `unassociated`: from the VM's addresses where it has no place */
  readonly dropped: Readonly<Partial<Record<DropReason, number>>>;
}

const nothing: Count = { fromVm: 0, toVm: 0, dropped: {} };

/** The reasons that have occurred. */
export function occurred(dropped: Count['dropped'] = {}): Count['dropped'] {
  return Object.fromEntries(Object.entries(dropped).filter(([, frames]) => frames > 0));
}

export function tally(
  counters: ReadonlyMap<PortName, VsiCounters>,
  strangers: readonly Stranger[] = [],
  addresses: readonly MacAddress[] = [],
): Tally {
  const counts = new Map<PortName, Count>();
  for (const [port, { fromVm, toVm, dropped }] of counters)
    counts.set(port, {
      fromVm: fromVm.frames,
      toVm: toVm.frames,
      dropped: occurred(dropped),
    });
  for (const { port, mac, frames } of strangers) {
    if (!addresses.includes(mac)) continue;
    const count = counts.get(port) ?? nothing;
    const unassociated = (count.dropped.unassociated ?? 0) + frames;
    counts.set(port, { ...count, dropped: { ...count.dropped, unassociated } });
  }
  return counts;
}

/** What had been counted before; of a place that was made anew since, and counts from zero, only what was no place's. */
function counted(was: Count, is: Count): Count {
  if (is.fromVm >= was.fromVm && is.toVm >= was.toVm) return was;
  const { unassociated = 0 } = was.dropped;
  return { ...nothing, dropped: { unassociated } };
}

/** What was counted at `port` between two tallies. */
export function difference(before: Tally | null, after: Tally, port: PortName): Count {
  const is = after.get(port) ?? nothing;
  const was = counted(before?.get(port) ?? nothing, is);
  const dropped: Partial<Record<DropReason, number>> = {};
  for (const [reason, frames] of Object.entries(is.dropped) as [DropReason, number][]) {
    const more = frames - (was.dropped[reason] ?? 0);
    if (more > 0) dropped[reason] = more;
  }
  return { fromVm: is.fromVm - was.fromVm, toVm: is.toVm - was.toVm, dropped };
}

/** For the report of a migration. */
export function portCount(
  { fromVm, toVm, dropped }: Count,
  counters: VsiCounters | undefined,
  timestamp: (monotonic: bigint) => Timestamp,
): PortCount {
  const stamp = (at: bigint | null | undefined) => (at === null || at === undefined ? null : timestamp(at));
  return {
    framesFromVm: fromVm,
    framesToVm: toVm,
    dropped: { ...dropped },
    firstFrame: stamp(counters?.firstFrame),
    lastFrame: stamp(counters?.lastFrame),
  };
}
