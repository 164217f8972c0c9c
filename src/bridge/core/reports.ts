import type {
  MigrationReport,
  BridgePort as PortLocation,
  PortCount,
  Timestamp,
} from '../../domain/migration.ts';
import type { VsiId } from '../../domain/vsi-id.ts';
import type { PortName } from '../../relay/contract/relay.ts';
import type { BridgeAgentParts } from './parts.ts';
import type { Passage } from './passages.ts';
import { difference, portCount, tally, type Tally } from './tally.ts';
import type { VsiEntry } from './vsi-entry.ts';

export type ReportsParts = Pick<
  BridgeAgentParts,
  'name' | 'relay' | 'directory' | 'timestamp' | 'stampOf' | 'report'
>;

/** What was counted of a migration, by port. */
interface Counts {
  at(port: PortName): PortCount;
}

/** What the bridge reports of migrations, with what the data plane has counted of them. */
export class Reports {
  readonly #parts: ReportsParts;

  constructor(parts: ReportsParts) {
    this.#parts = parts;
  }

  /** What the data plane has counted of a VSI. */
  tally({ vsiId, addresses }: VsiEntry): Tally {
    const { relay, directory } = this.#parts;
    const counters = relay.countersOf(vsiId);
    // only a VM that moves unannounced speaks where it has no place, and the strangers are many
    return directory.followsAnnouncements(vsiId)
      ? tally(counters, relay.counters().strangers, addresses)
      : tally(counters);
  }

  /** What was counted of a VSI's migration up to now. */
  countsOf(entry: VsiEntry): Counts {
    const { relay, stampOf } = this.#parts;
    const counters = relay.countersOf(entry.vsiId);
    const now = this.tally(entry);
    return {
      at: (port) => portCount(difference(entry.tally, now, port), counters.get(port), stampOf),
    };
  }

  /** A station has asked for a place beside the VSI's active one. `at`: when it asked */
  reserved(vsiId: VsiId, source: PortName, destination: PortName, at: Timestamp): void {
    this.#report(vsiId, 'reserve', { source, destination }, { at });
  }

  /** The migration has reached a moment. Null: nothing was counted of it. */
  passed(vsiId: VsiId, passage: Passage, counts: Counts | null): void {
    const { moment, source, destination } = passage;
    const count = (port: PortName | null) => (port === null ? null : (counts?.at(port) ?? null));
    const counted = { source: count(source), destination: count(destination) };
    this.#report(vsiId, moment, passage, {
      ...(counting.has(moment) && { counts: counted }),
      // whatever went there the VM never saw
      ...(moment === 'undo' && { lost: { undone: counted.destination?.framesToVm ?? 0 } }),
    });
  }

  #report(
    vsiId: VsiId,
    moment: MigrationReport['moment'],
    { source, destination }: { source: PortName | null; destination: PortName },
    more: Partial<Pick<MigrationReport, 'counts' | 'lost' | 'at'>> = {},
  ): void {
    const { name, report, timestamp } = this.#parts;
    const at = (port: PortName): PortLocation => ({ bridge: name, port });
    report({
      vsiId,
      moment,
      at: timestamp(),
      by: name,
      ...(source ? { source: at(source) } : {}),
      destination: at(destination),
      ...more,
    });
  }
}

/** The moments at which a place goes, and its counters with it, and those that say what has been lost. */
const counting: ReadonlySet<Passage['moment']> = new Set(['undo', 'release', 'abort']);
