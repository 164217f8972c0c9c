import { randomBytes } from 'node:crypto';
import type { DatabaseSync } from 'node:sqlite';
import type { Lineage, Run, Revision } from '../lineage.ts';
import { StoreError } from '../store.ts';

/** "HPIN": marks the file as ours, so that a wrong path never writes into another program's database. */
const applicationId = 0x4850494e;
const version = 1;

/**
 * Creates the tables in an empty database, and leaves those of this version as they are.
 * @throws StoreError for another program's database and for one of a later Hairpin
 */
export function migrateSchema(database: DatabaseSync, firstRevision: Revision): void {
  const found = pragma(database, 'application_id');
  if (found === applicationId) {
    const has = pragma(database, 'user_version');
    if (has !== version)
      throw new StoreError(
        `has form ${has} of the store, and this Hairpin knows ${version}; use a later Hairpin`,
      );
    return;
  }
  const tables = database.prepare('SELECT count(*) AS count FROM sqlite_schema').get() as { count: number };
  if (found !== 0 || tables.count > 0)
    throw new StoreError("is another program's database; name another file or a new one");
  database.exec(`
    BEGIN IMMEDIATE;
    CREATE TABLE entry (
      key TEXT PRIMARY KEY, value TEXT NOT NULL, created INTEGER NOT NULL, modified INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE history (
      revision INTEGER, key TEXT, value TEXT, created INTEGER NOT NULL, PRIMARY KEY (revision, key)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE bounds (head INTEGER NOT NULL, compacted INTEGER NOT NULL) STRICT;
    INSERT INTO bounds VALUES (${firstRevision}, ${firstRevision});
    PRAGMA application_id = ${applicationId};
    PRAGMA user_version = ${version};
    COMMIT;
  `);
}

/** How many runs are remembered: who stands in an older one is taken for somebody of another database. */
const mostRuns = 10_000;

/**
 * Starts a run of the database, in tables that an earlier Hairpin leaves alone. Which one it is, is decided by chance and
 * written before the first change is made.
 */
export function startRun(database: DatabaseSync): Lineage {
  database.exec(`
    BEGIN IMMEDIATE;
    CREATE TABLE IF NOT EXISTS identity (id TEXT NOT NULL) STRICT;
    CREATE TABLE IF NOT EXISTS run (
      number INTEGER PRIMARY KEY, name TEXT NOT NULL, started INTEGER NOT NULL
    ) STRICT;
  `);
  const known = database.prepare('SELECT id FROM identity').get() as { id: string } | undefined;
  const id = known?.id ?? randomBytes(16).toString('hex');
  if (!known) database.prepare('INSERT INTO identity VALUES (?)').run(id);
  database
    .prepare('INSERT INTO run (name, started) SELECT ?, head FROM bounds')
    .run(randomBytes(8).toString('hex'));
  database.prepare('DELETE FROM run WHERE number <= (SELECT max(number) FROM run) - ?').run(mostRuns);
  const runs = database.prepare('SELECT name, started AS "from" FROM run ORDER BY number').all();
  database.exec('COMMIT');
  return { database: id, runs: runs as unknown as Run[] };
}

/** @throws StoreError when the file is damaged */
export function checkIntegrity(database: DatabaseSync): void {
  const [first] = database.prepare('PRAGMA quick_check(1)').all();
  const found = Object.values(first ?? {})[0];
  if (found !== 'ok')
    throw new StoreError(`is damaged (${String(found)}); a copy from before that would be right`);
}

function pragma(database: DatabaseSync, name: 'application_id' | 'user_version'): number {
  return (database.prepare(`PRAGMA ${name}`).get() as Record<string, number>)[name]!;
}
