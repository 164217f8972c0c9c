import type { DatabaseSync } from 'node:sqlite';
import { StoreError, type Revision } from './store.ts';

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

function pragma(database: DatabaseSync, name: 'application_id' | 'user_version'): number {
  return (database.prepare(`PRAGMA ${name}`).get() as Record<string, number>)[name]!;
}
