import assert from 'node:assert/strict';
import { chmodSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, it } from 'node:test';
import { pino } from 'pino';
import { ApiClient } from '../../../src/client/client.ts';
import { startManager } from '../../../src/manager/run.ts';
import { depthOf } from '../../../src/manager/http/depth.ts';
import { openSqlite } from '../../../src/store/sqlite/sqlite.ts';
import {
  acme,
  config,
  logger,
  profile,
  running,
  seed,
  temporaryDirectory,
  tenant,
  vsi,
} from '../../kit/manager/support.ts';

describe('JSON of a request', () => {
  it('is refused where it is nested too deep, whatever else it is', async () => {
    await using run = await running();
    for (const text of [
      '['.repeat(200_000),
      `${'['.repeat(200_000)}${']'.repeat(200_000)}`,
      '{"a":'.repeat(200_000),
    ])
      for (const path of ['tenants/a', 'bridges/b', 'vsis/4a1b0000-0000-4000-8000-000000000001']) {
        const answer = await fetch(`${run.url}/v1/${path}`, {
          method: 'PUT',
          headers: { 'content-type': 'application/json' },
          body: text,
        });
        assert.deepEqual(
          [answer.status, await answer.json()],
          [400, { error: 'the body is nested 200000 deep; at most 64 would be right' }],
        );
      }
  });

  it('is measured outside of its strings', () => {
    assert.equal(depthOf('{"a[[[\\"[[":[1,{"b":[]}]}'), 4);
    assert.equal(depthOf('"[['), 0);
    assert.equal(depthOf(`"${'\\"'.repeat(1_000_000)}`), 0);
  });

  it('of an agent may have keys that are not known yet', async () => {
    await using run = await running();
    await seed(run.client);
    const put = (path: string, body: object) =>
      fetch(`${run.url}/v1/${path}`, {
        method: path.endsWith('reports') ? 'POST' : 'PUT',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
      });
    const { vsiId } = vsi(1, profile(17));
    const status = { association: 'associated', bridge: 'sw', port: 'p1', station: null, at: 1, later: 1 };
    assert.equal((await put(`vsis/${vsiId}/status`, status)).status, 200);
    assert.equal((await put('bridges/sw', { name: 'sw', ports: [], at: 1, later: [1] })).status, 201);
    const report = { vsiId, moment: 'announce', at: 1, by: 'h1', later: {} };
    assert.equal((await put('migrations/reports', report)).status, 201);
    assert.equal((await put('tenants/acme', { name: 'acme', later: 1 })).status, 400, 'a person wrote it');
  });
});

describe('what is in the database and cannot be read', () => {
  it('is said once at start, a line a key; the rest is served, and it can be written anew', async () => {
    const database = join(temporaryDirectory(), 'm.db');
    {
      await using run = await running({ database });
      await seed(run.client);
      await run.client.put('vsis', vsi(2, profile(17)));
      await run.client.put('tenants', tenant('b'));
    }
    const file = new DatabaseSync(database);
    const set = file.prepare('UPDATE entry SET value = ? WHERE key = ?');
    const broken = `vsis/${vsi(2, profile(17)).vsiId}`;
    set.run('{"vsiId":', broken);
    set.run('{"name":"b","rate":7}', 'tenants/b');
    set.run(JSON.stringify({ name: 'acme', rate: {}, guaranteed: null, later: 1 }), 'tenants/acme');
    file.close();
    const lines: string[] = [];
    const manager = await startManager(
      config({ database }),
      pino(
        { level: 'error' },
        { write: (line: string) => lines.push((JSON.parse(line) as { msg: string }).msg) },
      ),
    );
    const client = new ApiClient(manager.addresses[0]!);
    assert.deepEqual(
      lines.map((line) => line.split(' ')[1]),
      ['tenants/b', broken],
    );
    assert.match(
      lines[0]!,
      /^database: tenants\/b cannot be read and is left out: rate: is 7; .*to put b anew/,
    );
    const { items, unreadable } = await client.list('vsis');
    assert.deepEqual([items.map(({ value }) => value.name), unreadable], [['vm1'], [broken.slice(5)]]);
    assert.equal(await client.get('tenants', 'b'), null);
    assert.deepEqual((await client.get('tenants', 'acme'))?.value, acme, 'a later Hairpin wrote it');
    await client.put('vsis', vsi(2, profile(17)));
    await client.put('tenants', tenant('b'));
    assert.deepEqual((await client.list('vsis')).items.length, 2);
    assert.deepEqual((await client.list('vsis')).unreadable, []);
    client.close();
    await manager.close();
  });

  it('is a damaged file: the manager does not start, and says so', async () => {
    const database = join(temporaryDirectory(), 'm.db');
    {
      await using run = await running({ database });
      for (let i = 0; i < 100; i++) await run.client.put('tenants', tenant(`tenant-${i}`));
    }
    const { size } = statSync(database);
    const file = new DatabaseSync(database);
    file.exec('PRAGMA wal_checkpoint(TRUNCATE)');
    file.close();
    writeFileSync(database, Buffer.alloc(size / 2, 0x55), { flag: 'r+' });
    await assert.rejects(startManager(config({ database }), logger), {
      name: 'ManagerError',
      message: /^database: .*m\.db: (is damaged|is not a database)/,
    });
  });
});

describe("the database's files", () => {
  it("are the own user's alone, whatever they were before", async () => {
    const directory = temporaryDirectory();
    const path = join(directory, 'm.db');
    const mode = (suffix = '') => (statSync(path + suffix).mode & 0o777).toString(8);
    const store = openSqlite(path);
    await store.transact([], [{ key: 'a', value: '1' }]);
    assert.deepEqual([mode(), mode('-wal')], ['600', '600']);
    await store.close();
    chmodSync(path, 0o644);
    writeFileSync(`${path}-wal`, '', { mode: 0o644 });
    await openSqlite(path).close();
    assert.equal(mode(), '600');
  });
});
