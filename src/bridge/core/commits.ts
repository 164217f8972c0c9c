import type { VsiId } from '../../domain/vsi-id.ts';
import { RelayError, type PortName } from '../../relay/contract/relay.ts';
import type { EntryBook } from './entry-book.ts';
import type { Flips } from './flips.ts';
import type { NetworkNews } from './network-news.ts';
import type { BridgeAgentParts } from './parts.ts';
import { passages, type Passage } from './passages.ts';
import type { Reconciler } from './reconciler.ts';
import type { Reports } from './reports.ts';
import type { StationPorts } from './station-ports.ts';
import { detach, type VsiEntry } from './vsi-entry.ts';

export interface CommitsParts extends Pick<BridgeAgentParts, 'changed' | 'log'> {
  readonly book: EntryBook;
  readonly reconciler: Pick<Reconciler, 'apply' | 'owe'>;
  readonly ports: Pick<StationPorts, 'deassociate' | 'adoptVsi'>;
  readonly reports: Pick<Reports, 'tally' | 'countsOf' | 'passed'>;
  readonly news: Pick<NetworkNews, 'changed'>;
  readonly flips: Pick<Flips, 'changed'>;
}

/** Changes of one entry, and all that follows from them. */
export class Commits {
  readonly #parts: CommitsParts;

  constructor(parts: CommitsParts) {
    this.#parts = parts;
  }

  /**
   * Changes one entry: in the data plane first, then here, then in the reports. The stations that lose their attachment
   * by it are told, but for the one at `by`, which knows. @throws RelayError, and nothing changed
   */
  commit(
    vsiId: VsiId,
    by: PortName | null,
    change: (entry: VsiEntry | null) => VsiEntry | null,
    apply = (): void => this.#parts.reconciler.apply(),
  ): void {
    const { book, ports, reports, news, flips } = this.#parts;
    const before = book.get(vsiId);
    const changed = change(before);
    if (changed === before) return;
    const found = passages(before, changed);
    const passes = (...moments: Passage['moment'][]) => found.some(({ moment }) => moments.includes(moment));
    const ends = passes('release', 'abort');
    // a place that goes takes its counters with it
    const last = before && (ends || passes('undo')) ? reports.countsOf(before) : null;
    const after = changed && {
      ...changed,
      ...(ends ? { tally: null } : before && passes('ready') ? { tally: reports.tally(before) } : {}),
    };
    book.put(vsiId, after);
    try {
      apply();
    } catch (error) {
      book.put(vsiId, before);
      throw error;
    }
    news.changed(vsiId, before, after);
    flips.changed(vsiId, before, after);
    for (const passage of found) reports.passed(vsiId, passage, last);
    for (const port of before?.attachments.keys() ?? [])
      if (port !== by && !after?.attachments.has(port)) ports.deassociate(port, vsiId);
    this.#parts.changed(vsiId);
  }

  /** A change that nobody waits for an answer to: what the data plane refuses is told, and stays as it was. */
  attempt(vsiId: VsiId, by: PortName | null, change: (entry: VsiEntry | null) => VsiEntry | null): boolean {
    try {
      this.commit(vsiId, by, change);
      return true;
    } catch (error) {
      if (!(error instanceof RelayError)) throw error;
      this.#parts.log('warn', `VSI ${vsiId}: the data plane refused: ${error.message}`);
      return false;
    }
  }

  /** What is not granted any more goes, now or when the data plane takes it. */
  detach(vsiId: VsiId, by: PortName | null, port: PortName): void {
    this.release(vsiId, by, port, (entry) => detach(entry, port));
  }

  release(
    vsiId: VsiId,
    by: PortName | null,
    port: PortName,
    change: (entry: VsiEntry) => VsiEntry | null,
  ): void {
    this.#owed(vsiId, by, change, `VSI ${vsiId} released at ${port}`);
  }

  /** The bridge's own decision: the station is told. */
  letGo(vsiId: VsiId, port: PortName, reason: string): void {
    this.#parts.log('info', `VSI ${vsiId} at ${port}: ${reason}`);
    this.detach(vsiId, null, port);
  }

  /** A provisional flip, or its end: what the data plane refuses is owed. */
  turn(vsiId: VsiId, change: (entry: VsiEntry) => VsiEntry | null): void {
    const before = this.#parts.book.get(vsiId);
    this.#owed(vsiId, null, change, `VSI ${vsiId} turns`);
    if (!before?.flip) return;
    // what VDP was told of a flip that is undone, it is to take for a pre-association again
    for (const [port, { association }] of before.attachments)
      if (association !== 'associated') this.#parts.ports.adoptVsi(port, vsiId);
  }

  /** A migration that an announcement may complete was opened: what is counted from here on is its own. */
  migrationOpened(vsiId: VsiId): void {
    this.attempt(
      vsiId,
      null,
      (entry) => entry && (entry.tally ? entry : { ...entry, tally: this.#parts.reports.tally(entry) }),
    );
  }

  #owed(vsiId: VsiId, by: PortName | null, change: (entry: VsiEntry) => VsiEntry | null, what: string): void {
    this.commit(
      vsiId,
      by,
      (entry) => entry && change(entry),
      () => this.#parts.reconciler.owe(what),
    );
  }
}
