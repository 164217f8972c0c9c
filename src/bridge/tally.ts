import type { MacAddress } from '../domain/mac-address.ts';
import type { PortCount, Timestamp } from '../domain/migration.ts';
import type { VsiId } from '../domain/vsi-id.ts';
import type { PortName, RelayCounters, VsiCounters } from '../relay/relay.ts';

/** What the relay had counted for one VSI at one moment. */
export interface Tally {
  readonly ports: ReadonlyMap<PortName, VsiCounters>;
  /** frames from the VM's addresses where it has no place, by port */
  readonly strangers: ReadonlyMap<PortName, number>;
}

export function tally(counters: RelayCounters, vsiId: VsiId, addresses: readonly MacAddress[]): Tally {
  const strangers = new Map<PortName, number>();
  for (const { port, mac, frames } of counters.strangers)
    if (addresses.includes(mac)) strangers.set(port, (strangers.get(port) ?? 0) + frames);
  return { ports: counters.vsis.get(vsiId) ?? new Map(), strangers };
}

/** What had been counted before: nothing, if the place was made anew since and counts from zero. */
function counted(was: VsiCounters | undefined, is: VsiCounters | undefined): VsiCounters | undefined {
  const anew = was && is && (is.fromVm.frames < was.fromVm.frames || is.toVm.frames < was.toVm.frames);
  return anew ? undefined : was;
}

/** What was counted at `port` between two tallies. */
export function difference(
  before: Tally | undefined,
  after: Tally,
  port: PortName,
  timestamp: (monotonic: bigint) => Timestamp,
): PortCount {
  const is = after.ports.get(port);
  const was = counted(before?.ports.get(port), is);
  const dropped: Record<string, number> = {};
  for (const [reason, frames] of Object.entries(is?.dropped ?? {})) {
    const more = frames - ((was?.dropped as Record<string, number> | undefined)?.[reason] ?? 0);
    if (more > 0) dropped[reason] = more;
  }
  const strange = (after.strangers.get(port) ?? 0) - (before?.strangers.get(port) ?? 0);
  if (strange > 0) dropped['unassociated'] = (dropped['unassociated'] ?? 0) + strange;
  const stamp = (at: bigint | null | undefined) => (at === null || at === undefined ? null : timestamp(at));
  return {
    framesFromVm: (is?.fromVm.frames ?? 0) - (was?.fromVm.frames ?? 0),
    framesToVm: (is?.toVm.frames ?? 0) - (was?.toVm.frames ?? 0),
    dropped,
    firstFrame: stamp(is?.firstFrame),
    lastFrame: stamp(is?.lastFrame),
  };
}
