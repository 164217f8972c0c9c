import { existsSync, rmSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Logger } from 'pino';
import { openSqlite } from '../store/sqlite/sqlite.ts';
import { StoreError, type Store } from '../store/store.ts';
import type { ManagerConfig } from './config.ts';
import { ManagerError } from './manager-error.ts';
import { Trace } from './trace.ts';

export interface OpenDatabase {
  readonly store: Store;
  /** The manager runs: from now on it is known that there is a database here. */
  readonly keep: () => void;
  /** The manager could not start: a database that was made for it goes again. */
  readonly discard: () => void;
}

/**
 * Opens the database. Where none was ever, it makes one. Where there was one and it is gone, only somebody who says so
 * (`anew`) gets an empty one: bridges take its word for what their VMs may do.
 * @throws ManagerError
 */
export function openDatabase(
  { database, history }: ManagerConfig,
  anew: boolean,
  logger: Logger,
): OpenDatabase {
  if (database === ':memory:') return { store: open(database, history), keep() {}, discard() {} };
  const directory = dirname(database);
  if (!existsSync(directory))
    throw new ManagerError(
      `database: ${database}: there is no directory ${directory}; one that exists would be right`,
    );
  const trace = new Trace(database);
  const before = readTrace(trace);
  const isThere = (statSync(database, { throwIfNoEntry: false })?.size ?? 0) > 0;
  if (isThere && anew)
    throw new ManagerError(`database: ${database} is there; to start without --init would be right`);
  if (!isThere && before !== null && !anew)
    throw new ManagerError(
      `database: ${database} is gone: one was here (${before}); to put a copy of it back, or to start once with --init for a new and empty one, would be right`,
    );
  const store = open(database, history);
  return {
    store,
    keep() {
      const { database: identity } = store.lineage;
      if (before === identity) return;
      if (before !== null)
        logger.warn(
          `this is another database (${identity}) than the one that was here (${before}); bridges keep in force for running VMs what it lacks, until "hairpin manager accept"`,
        );
      trace.leave(identity);
    },
    discard() {
      if (isThere) return;
      for (const suffix of ['', '-wal', '-shm']) rmSync(database + suffix, { force: true });
    },
  };
}

function readTrace(trace: Trace): string | null {
  try {
    return trace.read();
  } catch (error) {
    throw new ManagerError(`database: ${trace.path} cannot be read (${(error as Error).message})`);
  }
}

function open(database: string, history: number): Store {
  try {
    return openSqlite(database, { history });
  } catch (error) {
    throw error instanceof StoreError ? new ManagerError(`database: ${error.message}`) : error;
  }
}
