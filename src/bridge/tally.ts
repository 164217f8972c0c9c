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

/** What was counted at `port` between two tallies. */
export function difference(
  before: Tally | undefined,
  after: Tally,
  port: PortName,
  timestamp: (monotonic: bigint) => Timestamp,
): PortCount {
  const was = before?.ports.get(port);
  const is = after.ports.get(port);
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
