import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import * as fc from 'fast-check';
import { Compacted, StoreError, type Change, type Entry, type Store } from '../../../src/store/store.ts';

/** What every driver must do; run it with a way to open an empty store. */
export function storeContract(name: string, openEmpty: () => Promise<Store>): void {
  describe(`${name} keeps the store contract`, () => {
    let store: Store;
    let abort: AbortController;
    beforeEach(async () => {
      store = await openEmpty();
      abort = new AbortController();
    });
    afterEach(async () => {
      abort.abort();
      await store.close();
    });

    const put = async (key: string, value: string) => commit([{ key, value }]);
    const commit = async (operations: { key: string; value: string | null }[]) => {
      const outcome = await store.transact([], operations);
      assert(outcome.committed);
      return outcome.revision;
    };
    const watch = (prefix: string, after: number) =>
      store.watch(prefix, after, abort.signal)[Symbol.asyncIterator]();

    it('gets what was put, with the revisions it came to be and changed at', async () => {
      assert.equal(await store.get('a'), null);
      const created = await put('a', '1');
      const modified = await put('a', '2');
      assert.equal(modified, created + 1);
      assert.deepEqual({ ...(await store.get('a')) }, { key: 'a', value: '2', created, modified });
    });

    it('lists by prefix, in key order, as of a revision', async () => {
      for (const key of ['b/2', 'a/1', 'b/1', 'b', 'b0', 'b/~']) await put(key, key);
      const last = await put('c', '');
      const { revision, entries } = await store.list('b/');
      assert.equal(revision, last);
      assert.deepEqual(
        entries.map(({ key }) => key),
        ['b/1', 'b/2', 'b/~'],
      );
      assert.equal((await store.list('')).entries.length, 7);
    });

    it('commits several operations in one revision, or none', async () => {
      const revision = await commit([
        { key: 'a', value: '1' },
        { key: 'b', value: '2' },
      ]);
      assert.equal((await store.get('a'))?.modified, revision);
      assert.equal((await store.get('b'))?.modified, revision);
      const refused = await store.transact(
        [{ key: 'a', modified: revision - 1 }],
        [
          { key: 'a', value: 'no' },
          { key: 'c', value: 'no' },
        ],
      );
      assert.deepEqual(refused, { committed: false });
      assert.equal((await store.get('a'))?.value, '1');
      assert.equal(await store.get('c'), null);
    });

    it('compares a revision, and absence as 0', async () => {
      const absent = { key: 'a', modified: 0 };
      const first = await store.transact([absent], [{ key: 'a', value: '1' }]);
      assert(first.committed);
      assert.equal((await store.transact([absent], [{ key: 'a', value: '2' }])).committed, false);
      const known = { key: 'a', modified: first.revision };
      assert.equal((await store.transact([known], [{ key: 'a', value: null }])).committed, true);
      assert.equal((await store.transact([absent], [{ key: 'a', value: '3' }])).committed, true);
    });

    it('has no revision for a transaction that changes nothing', async () => {
      const revision = await put('a', '1');
      assert.equal(await commit([{ key: 'nothing', value: null }]), revision);
      assert.equal(await commit([]), revision);
      assert.equal((await store.list('')).revision, revision);
    });

    it('gives one writer of many the key', async () => {
      const outcomes = await Promise.all(
        Array.from({ length: 20 }, (_, i) =>
          store.transact([{ key: 'a', modified: 0 }], [{ key: 'a', value: String(i) }]),
        ),
      );
      assert.equal(outcomes.filter(({ committed }) => committed).length, 1);
    });

    it('refuses a key it cannot hold and a key written twice', async () => {
      for (const key of ['', 'a b', 'ä', 'a\n', 'x'.repeat(1025)])
        await assert.rejects(store.transact([], [{ key, value: '' }]), StoreError);
      const twice = { key: 'a', value: '' };
      await assert.rejects(store.transact([], [twice, twice]), StoreError);
      assert.deepEqual((await store.list('')).entries, []);
    });

    it('watches a prefix from a revision: what was, then what comes, one change per transaction', async () => {
      const { revision: start } = await store.list('');
      const created = await put('a/1', 'x');
      await put('b/1', 'not watched');
      const changes = watch('a/', start);
      assert.deepEqual(await next(changes), {
        revision: created,
        keys: [{ key: 'a/1', entry: { key: 'a/1', value: 'x', created, modified: created } }],
      });
      const coming = next(changes);
      const revision = await commit([
        { key: 'a/1', value: null },
        { key: 'a/2', value: 'y' },
        { key: 'c', value: 'z' },
      ]);
      assert.deepEqual(await coming, {
        revision,
        keys: [
          { key: 'a/1', entry: null },
          { key: 'a/2', entry: { key: 'a/2', value: 'y', created: revision, modified: revision } },
        ],
      });
    });

    it('ends a watch when its signal is aborted, and when the store is closed', async () => {
      const { revision } = await store.list('');
      const first = watch('', revision).next();
      abort.abort();
      assert.equal((await first).done, true);
      const second = store.watch('', revision, new AbortController().signal)[Symbol.asyncIterator]().next();
      await store.close();
      assert.equal((await second).done, true);
    });

    it('says compacted to who is behind, or ahead, and lets the others go on', async () => {
      await put('a', '1');
      const middle = await put('a', '2');
      const last = await put('a', '3');
      await store.compact(middle);
      await assert.rejects(watch('', middle - 1).next(), Compacted);
      await assert.rejects(watch('', last + 1).next(), Compacted);
      assert.equal((await next(watch('', middle))).revision, last);
      assert.equal((await store.get('a'))?.value, '3');
      await assert.rejects(store.compact(last + 1), StoreError);
    });

    it('says compacted to a watcher that falls behind while it waits for its reader', async () => {
      const { revision } = await store.list('');
      for (let i = 0; i < 600; i++) await put('a', String(i));
      const changes = watch('', revision);
      await next(changes);
      await store.compact((await store.list('')).revision);
      await assert.rejects(async () => {
        for (let i = 0; i < 600; i++) await changes.next();
      }, Compacted);
    });

    it('replays, from any revision, to what it lists', async () => {
      const operation = fc.record({
        key: fc.constantFrom('k/a', 'k/b', 'k/c', 'other'),
        value: fc.option(fc.string(), { nil: null }),
      });
      const transactions = fc.array(fc.uniqueArray(operation, { selector: ({ key }) => key }), {
        maxLength: 12,
      });
      await fc.assert(
        fc.asyncProperty(transactions, transactions, async (before, after) => {
          for (const operations of before) await commit(operations);
          const { revision, entries } = await store.list('k/');
          for (const operations of after) await commit(operations);
          const end = await put('k/end', String(Math.random()));
          const replayed = new Map(entries.map((entry) => [entry.key, entry]));
          for await (const change of store.watch('k/', revision, abort.signal)) {
            apply(replayed, change);
            if (change.revision === end) break;
          }
          const listed = (await store.list('k/')).entries;
          assert.deepEqual(
            [...replayed.values()].sort((a, b) => (a.key < b.key ? -1 : 1)).map((entry) => ({ ...entry })),
            listed.map((entry) => ({ ...entry })),
          );
        }),
        { numRuns: 50 },
      );
    });
  });
}

async function next(changes: AsyncIterator<Change>): Promise<Change> {
  const result = await changes.next();
  assert(!result.done);
  return result.value;
}

function apply(entries: Map<string, Entry>, { keys }: Change): void {
  for (const { key, entry } of keys) {
    if (entry) entries.set(key, entry);
    else entries.delete(key);
  }
}
