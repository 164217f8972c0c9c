import type { Clock } from '../../base/clock.ts';
import { RelayError, type Relay, type RelayState } from '../../relay/contract/relay.ts';
import type { EntryBook } from './entry-book.ts';
import { MirrorWarnings } from './mirror-sessions.ts';
import type { Log } from './request-log.ts';

const wait = { firstMs: 1000, mostMs: 30_000 };

export interface ReconcilerParts {
  readonly relay: Pick<Relay, 'apply'>;
  readonly clock: Clock;
  readonly log: Log;
  readonly book: EntryBook;
  /** what the data plane is to have besides the VSIs */
  readonly state: () => Omit<RelayState, 'vsis'>;
}

/** Makes the data plane as the bridge is to be. */
export class Reconciler {
  readonly #parts: ReconcilerParts;
  readonly #mirrorWarnings: MirrorWarnings;
  #cancel = (): void => {};
  #waitMs = wait.firstMs;
  #stopped = false;
  #owed: string | null = null;

  constructor(parts: ReconcilerParts) {
    this.#parts = parts;
    this.#mirrorWarnings = new MirrorWarnings((message) => parts.log('warn', message));
  }

  get isStopped(): boolean {
    return this.#stopped;
  }

  /** What the data plane said last of what it owes; null: it owes nothing. */
  get owed(): string | null {
    return this.#owed;
  }

  /** @throws RelayError, and the data plane is as it was */
  apply(): void {
    if (this.#stopped) return;
    const { relay, book, state } = this.#parts;
    const wanted = state();
    relay.apply({ ...wanted, vsis: book.relayed }, book.unapplied ?? undefined);
    this.#mirrorWarnings.look(book.unapplied ?? book.entries.keys(), book.entries, wanted.ports);
    book.applied();
    this.#caughtUp();
  }

  /** Null, or why the data plane refuses and is as it was. */
  attempt(): string | null {
    try {
      this.apply();
      return null;
    } catch (error) {
      if (!(error instanceof RelayError)) throw error;
      return error.message;
    }
  }

  /**
   * Makes a change that nobody waits for an answer to, and that has to be made: what the data plane refuses is owed, and
   * tried again, later each time, until it is taken.
   */
  owe(what: string): void {
    const refusal = this.attempt();
    if (refusal === null) return;
    const { clock, log } = this.#parts;
    this.#owed = `${what}: ${refusal}`;
    log('warn', `${what}: the data plane refused: ${refusal}; again in ${this.#waitMs / 1000} s`);
    this.#cancel();
    this.#cancel = clock.at(clock.now() + this.#waitMs, () => this.owe(what));
    this.#waitMs = Math.min(2 * this.#waitMs, wait.mostMs);
  }

  /** The data plane goes on as it is, and is not touched again. */
  stop(): void {
    this.#stopped = true;
    this.#cancel();
  }

  #caughtUp(): void {
    if (this.#owed !== null) this.#parts.log('info', 'the data plane has caught up');
    this.#cancel();
    this.#waitMs = wait.firstMs;
    this.#owed = null;
  }
}
