import assert from 'node:assert/strict';
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { cursorAt, parseCursor, passedThrough } from '../../../src/store/lineage.ts';
import { openSqlite } from '../../../src/store/sqlite/sqlite.ts';
import type { Store } from '../../../src/store/store.ts';

async function write(store: Store, times: number): Promise<number> {
  for (let i = 0; i < times; i++) await store.transact([], [{ key: 'a', value: `${Math.random()}` }]);
  return (await store.list('')).revision;
}

const standing = async (store: Store) =>
  parseCursor(cursorAt(store.lineage, (await store.list('')).revision))!;
const passed = async (store: Store, cursor: NonNullable<ReturnType<typeof parseCursor>>) =>
  passedThrough(store.lineage, cursor, (await store.list('')).revision);

test('a database knows the points that it went through, and none that a copy of it has not', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'hp-lineage-'));
  t.after(() => rmSync(directory, { recursive: true }));
  const [path, copy] = [join(directory, 'a.db'), join(directory, 'copy.db')];
  let store = openSqlite(path, { synchronous: 'normal' });
  await write(store, 3);
  const early = await standing(store);
  await store.close();
  copyFileSync(path, copy);
  store = openSqlite(path, { synchronous: 'normal' });
  const atStart = await standing(store);
  await write(store, 5);
  const late = await standing(store);
  await store.close();
  store = openSqlite(path, { synchronous: 'normal' });
  for (const cursor of [early, atStart, late])
    assert.equal(await passed(store, cursor), true, 'it only restarted');
  await store.close();

  const restored = openSqlite(copy, { synchronous: 'normal' });
  assert.equal(restored.lineage.database, store.lineage.database);
  const { revision } = late;
  assert.ok((await write(restored, 20)) > revision, 'its revisions go past what was seen');
  assert.equal(await passed(restored, early), true);
  assert.equal(await passed(restored, late), false, 'another history has that revision');
  assert.equal(await passed(restored, atStart), false);
  const ahead = { ...early, revision: early.revision + 1 };
  assert.equal(await passed(restored, ahead), false, 'of a run that had more after the copy was taken');
  await restored.close();

  const other = openSqlite(':memory:');
  assert.equal(await passed(other, early), false);
  await other.close();
});
