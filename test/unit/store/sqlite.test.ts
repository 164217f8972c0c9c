import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, before, describe, it } from 'node:test';
import { openSqlite } from '../../../src/store/sqlite/sqlite.ts';
import { Compacted } from '../../../src/store/store.ts';
import { storeContract } from '../../kit/store/store-contract.ts';

let directory: string;
let files = 0;
const newPath = () => join(directory, `${files++}.db`);

before(() => {
  directory = mkdtempSync(join(tmpdir(), 'hp-store-'));
});
after(() => rmSync(directory, { recursive: true }));

storeContract('SQLite in memory', async () => openSqlite(':memory:'));
storeContract('SQLite in a file', async () => openSqlite(newPath(), { synchronous: 'normal' }));

describe('SQLite in a file', () => {
  it('has entries, revision and history after it was closed and opened', async () => {
    const path = newPath();
    const first = openSqlite(path);
    const { revision: start } = await first.list('');
    await first.transact([], [{ key: 'a', value: '1' }]);
    await first.transact([], [{ key: 'a', value: '2' }]);
    await first.close();
    const second = openSqlite(path);
    assert.equal((await second.get('a'))?.value, '2');
    assert.equal((await second.list('')).revision, start + 2);
    const revisions: number[] = [];
    for await (const { revision } of second.watch('', start, new AbortController().signal)) {
      revisions.push(revision);
      if (revisions.length === 2) break;
    }
    assert.deepEqual(revisions, [start + 1, start + 2]);
    await second.close();
  });

  it('keeps no more history than it is told, give or take a half', async () => {
    const path = newPath();
    const store = openSqlite(path, { history: 10, firstRevision: 1, synchronous: 'normal' });
    for (let i = 0; i < 100; i++) await store.transact([], [{ key: 'a', value: String(i) }]);
    const watch = (from: number) =>
      store.watch('', from, new AbortController().signal)[Symbol.asyncIterator]().next();
    await assert.rejects(watch(101 - 16), Compacted);
    assert.equal((await watch(101 - 10)).done, false);
    await store.close();
    const database = new DatabaseSync(path);
    const { count } = database.prepare('SELECT count(*) AS count FROM history').get() as { count: number };
    database.close();
    assert(count >= 10 && count <= 15, `${count} revisions kept`);
  });

  it('tells who watched an earlier database at the same place to list again', async () => {
    const earlier = openSqlite(':memory:', { firstRevision: 1000 });
    const { revision } = await earlier.list('');
    await earlier.close();
    const later = openSqlite(':memory:');
    await assert.rejects(
      later.watch('', revision, new AbortController().signal)[Symbol.asyncIterator]().next(),
      Compacted,
    );
    await later.close();
  });

  it('says in one line what is wrong with a file', async () => {
    const inUse = newPath();
    const store = openSqlite(inUse);
    assert.throws(() => openSqlite(inUse), {
      message: new RegExp(`^${inUse}: is in use by another manager;`),
    });
    await store.close();

    const text = newPath();
    writeFileSync(text, 'This is no database. '.repeat(100));
    assert.throws(() => openSqlite(text), { message: new RegExp(`^${text}: is not a database;`) });

    const foreign = newPath();
    const other = new DatabaseSync(foreign);
    other.exec('CREATE TABLE t (x)');
    other.close();
    assert.throws(() => openSqlite(foreign), { message: new RegExp(`^${foreign}: is another program's`) });

    const nowhere = join(directory, 'missing', 'x.db');
    assert.throws(() => openSqlite(nowhere), {
      message: new RegExp(`^${nowhere}: cannot be opened for writing`),
    });
  });

  it('refuses a file of a later form', async () => {
    const path = newPath();
    await openSqlite(path).close();
    const database = new DatabaseSync(path);
    database.exec('PRAGMA user_version = 2');
    database.close();
    assert.throws(() => openSqlite(path), { message: /has form 2 .* use a later Hairpin/ });
  });
});
