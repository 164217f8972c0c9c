import { DatabaseSync } from 'node:sqlite';
import type { Lineage, Revision } from '../lineage.ts';
import { makePrivate } from './private-file.ts';
import { checkIntegrity, migrateSchema, startRun } from './schema.ts';
import {
  checkKey,
  Compacted,
  StoreError,
  type Change,
  type Condition,
  type Entry,
  type Operation,
  type Outcome,
  type Store,
} from '../store.ts';

export interface SqliteOptions {
  /** revisions a watcher may be behind before it has to list again; default 10,000 */
  readonly history?: number;
  /** `full`: a commit outlives a power failure; `normal`: only the end of the process. Default `full` */
  readonly synchronous?: 'full' | 'normal';
  /**
   * What the revisions of a new database start after. By default the time in milliseconds, so that who still watches
   * from a revision of an earlier database at this address is told to list again.
   */
  readonly firstRevision?: Revision;
}

/** How many revisions, and characters of values, a watcher reads at once: at least one revision. */
const window = { revisions: 256, characters: 256 * 1024 };

/**
 * Opens or creates a store in one file, or in memory (":memory:"). The file is locked until `close`.
 * @throws StoreError when the file cannot be opened, is not a store, or is in use
 */
export function openSqlite(path: string, options: SqliteOptions = {}): Store {
  const keep = options.history ?? 10_000;
  const { database, lineage } = open(path, options);
  const wakers = new Set<() => void>();
  let closed = false;

  const select = database.prepare('SELECT key, value, created, modified FROM entry WHERE key = ?');
  const selectRange = database.prepare(
    'SELECT key, value, created, modified FROM entry WHERE key >= ? AND key < ? ORDER BY key',
  );
  const upsert = database.prepare(
    `INSERT INTO entry (key, value, created, modified) VALUES (?1, ?2, ?3, ?3)
     ON CONFLICT (key) DO UPDATE SET value = excluded.value, modified = excluded.modified RETURNING created`,
  );
  const remove = database.prepare('DELETE FROM entry WHERE key = ?');
  const record = database.prepare('INSERT INTO history (revision, key, value, created) VALUES (?, ?, ?, ?)');
  const selectHistory = database.prepare(
    `SELECT revision, key, value, created FROM history
     WHERE revision > ? AND revision <= ? AND key >= ? AND key < ? ORDER BY revision, key`,
  );
  const forget = database.prepare('DELETE FROM history WHERE revision <= ?');
  const selectBounds = database.prepare('SELECT head, compacted FROM bounds');
  const setHead = database.prepare('UPDATE bounds SET head = ?');
  const setCompacted = database.prepare('UPDATE bounds SET compacted = ?');

  const bounds = () => selectBounds.get() as { head: Revision; compacted: Revision };
  const entryOf = (key: string) => (select.get(key) as Entry | undefined) ?? null;

  function holds({ key, modified }: Condition): boolean {
    return (entryOf(key)?.modified ?? 0) === modified;
  }

  function write(revision: Revision, { key, value }: Operation): boolean {
    if (value === null) {
      if (remove.run(key).changes === 0) return false;
      record.run(revision, key, null, revision);
      return true;
    }
    const row = upsert.get(key, value, revision) as { created: Revision };
    record.run(revision, key, value, row.created);
    return true;
  }

  function commit(conditions: readonly Condition[], operations: readonly Operation[]): Outcome {
    if (!conditions.every(holds)) return { committed: false };
    const { head, compacted } = bounds();
    const revision = head + 1;
    const changed = operations.map((operation) => write(revision, operation)).includes(true);
    if (!changed) return { committed: true, revision: head };
    setHead.run(revision);
    // Half as much again before the surplus goes, so that not every commit deletes.
    if (revision - compacted > keep + Math.ceil(keep / 2)) compactTo(revision - keep);
    return { committed: true, revision };
  }

  function compactTo(revision: Revision): void {
    forget.run(revision);
    setCompacted.run(revision);
  }

  function transaction<T>(work: () => T): T {
    database.exec('BEGIN IMMEDIATE');
    try {
      const result = work();
      database.exec('COMMIT');
      return result;
    } catch (error) {
      if (database.isTransaction) database.exec('ROLLBACK');
      throw error;
    }
  }

  /** Every method's way in: what SQLite throws becomes one line that names the file. */
  async function attempt<T>(work: () => T): Promise<T> {
    if (closed) throw new StoreError(`${path}: the store is closed`);
    try {
      return work();
    } catch (error) {
      throw error instanceof StoreError ? error : new StoreError(`${path}: ${messageOf(error)}`);
    }
  }

  async function* watch(prefix: string, after: Revision, signal: AbortSignal): AsyncGenerator<Change> {
    let wake = () => {};
    const onWake = () => wake();
    const ended = () => closed || signal.aborted;
    wakers.add(onWake);
    signal.addEventListener('abort', onWake);
    try {
      let seen = after;
      while (!ended()) {
        const { head, compacted } = bounds();
        if (seen < compacted || seen > head)
          throw new Compacted(`revision ${seen} is not in the history, which has ${compacted} to ${head}`);
        if (seen === head) {
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
          continue;
        }
        const upTo = Math.min(head, seen + window.revisions);
        const rows = selectHistory.iterate(seen, upTo, prefix, endOf(prefix)) as Iterable<unknown>;
        const { changes, last } = firstOf(rows as Iterable<HistoryRow>, window.characters);
        for (const change of changes) {
          yield change;
          if (ended()) return;
        }
        seen = last ?? upTo;
      }
    } finally {
      wakers.delete(onWake);
      signal.removeEventListener('abort', onWake);
    }
  }

  const wakeAll = () => wakers.forEach((wake) => wake());

  return {
    lineage,
    get: (key) => attempt(() => entryOf(key)),
    list: (prefix) =>
      attempt(() => ({
        revision: bounds().head,
        entries: selectRange.all(prefix, endOf(prefix)) as unknown as Entry[],
      })),
    transact: (conditions, operations) =>
      attempt(() => {
        checkOperations(operations);
        const outcome = transaction(() => commit(conditions, operations));
        if (outcome.committed) wakeAll();
        return outcome;
      }),
    watch,
    compact: (revision) =>
      attempt(() => {
        const { head, compacted } = bounds();
        if (revision > head)
          throw new StoreError(`revision ${revision} is not reached yet; at most ${head} would be right`);
        if (revision > compacted) transaction(() => compactTo(revision));
        wakeAll();
      }),
    close: async () => {
      if (closed) return;
      closed = true;
      wakeAll();
      database.close();
    },
  };
}

function open(
  path: string,
  { synchronous = 'full', firstRevision = Date.now() }: SqliteOptions,
): { database: DatabaseSync; lineage: Lineage } {
  let database: DatabaseSync | undefined;
  try {
    if (path !== ':memory:') makePrivate(path);
    database = new DatabaseSync(path);
    // One process only: watchers in another would never be woken. The system lets go of the lock when we die.
    database.exec('PRAGMA locking_mode = EXCLUSIVE');
    database.exec('PRAGMA journal_mode = WAL');
    database.exec(`PRAGMA synchronous = ${synchronous}`);
    migrateSchema(database, firstRevision);
    checkIntegrity(database);
    return { database, lineage: startRun(database) };
  } catch (error) {
    if (database?.isOpen) database.close();
    throw new StoreError(`${path}: ${explainOpen(error)}`);
  }
}

function explainOpen(error: unknown): string {
  const message = messageOf(error);
  if (/is locked/.test(message)) return 'is in use by another manager; stop that one or name another file';
  if (/malformed|corrupt/.test(message))
    return `is damaged (${message}); a copy from before that would be right`;
  if (/not a database/.test(message)) return 'is not a database; name another file or a new one';
  if (/unable to open|readonly|^E(NOENT|ACCES|ISDIR|ROFS|PERM)\b/.test(message))
    return `cannot be opened for writing (${message}); a file in a writable directory would be right`;
  return message;
}

function checkOperations(operations: readonly Operation[]): void {
  const keys = new Set(operations.map(({ key }) => key));
  if (keys.size < operations.length) throw new StoreError('a transaction writes each key at most once');
  keys.forEach(checkKey);
}

/** The first key after all that begin with `prefix`: keys are printable ASCII, and DEL sorts after those. */
function endOf(prefix: string): string {
  return `${prefix}\x7f`;
}

/** The first revisions' changes, so many characters of them; `last`: the last revision of these, where there are more. */
function firstOf(rows: Iterable<HistoryRow>, most: number): { changes: Change[]; last: Revision | null } {
  const changes: { revision: Revision; keys: Change['keys'][number][] }[] = [];
  let characters = 0;
  for (const row of rows) {
    const now = changes.at(-1);
    if (now?.revision === row.revision) now.keys.push(keyChange(row));
    else if (now && characters >= most) return { changes, last: now.revision };
    else changes.push({ revision: row.revision, keys: [keyChange(row)] });
    characters += row.value?.length ?? 0;
  }
  return { changes, last: null };
}

interface HistoryRow {
  readonly revision: Revision;
  readonly key: string;
  /** null: deleted */
  readonly value: string | null;
  readonly created: Revision;
}

function keyChange({ revision, key, value, created }: HistoryRow): Change['keys'][number] {
  return { key, entry: value === null ? null : { key, value, created, modified: revision } };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
