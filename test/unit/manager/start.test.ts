import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { ApiClient } from '../../../src/client/client.ts';
import { explainIssues } from '../../../src/forms/explain.ts';
import { managerConfigSchema } from '../../../src/manager/config.ts';
import { ManagerError } from '../../../src/manager/manager-error.ts';
import { startManager } from '../../../src/manager/run.ts';
import { acme, config, logger, temporaryDirectory, tenant } from '../../kit/manager/support.ts';

const managerProcess = fileURLToPath(new URL('../../kit/manager/manager-process.ts', import.meta.url));

describe('the configuration', () => {
  it('has defaults for all but the database', () => {
    assert.deepEqual(managerConfigSchema.parse({ database: '/x.db' }), {
      database: '/x.db',
      listen: [{ kind: 'tcp', host: '127.0.0.1', port: 7470 }],
      hosts: [],
      tokens: [],
      keepMigrations: 1000,
      history: 10_000,
    });
  });

  it('is refused with a line for each mistake', () => {
    const bad = {
      database: 'x.db',
      listen: ['127.0.0.1', 'unix:relative', '[::1]:99999', '[::1]:7470'],
      token: 'short',
      keepMigrations: 0,
      tokn: 'x',
    };
    const { error } = managerConfigSchema.safeParse(bad);
    assert.deepEqual(explainIssues('m.yaml', error!, bad), [
      'm.yaml: database: "x.db" is not an absolute path like /var/lib/hairpin/manager.db, nor ":memory:"',
      ...['127.0.0.1', 'unix:relative', '[::1]:99999'].map(
        (text, i) =>
          `m.yaml: listen.${i}: "${text}" is not an address; 127.0.0.1:7470, [::1]:7470 or unix:/run/hairpin.sock would be right`,
      ),
      'm.yaml: token: does not fit; 8 or more characters without blanks would be right',
      'm.yaml: keepMigrations: is 0; at least 1 would be right',
      'm.yaml: tokn: is not a known key; database, listen, hosts, token, tokens, stationKeys, keepMigrations, history would be right',
    ]);
  });
});

describe('a manager', () => {
  it('listens on TCP, IPv6 too, and on a unix socket at once', async () => {
    const socket = join(temporaryDirectory(), 'hp.sock');
    const manager = await startManager(
      config({ listen: ['127.0.0.1:0', '[::1]:0', `unix:${socket}`] }),
      logger,
    );
    assert.match(
      manager.addresses.join(' '),
      /^http:\/\/127.0.0.1:\d+ http:\/\/\[::1\]:\d+ unix:\/.*hp.sock$/,
    );
    const clients = manager.addresses.map((address) => new ApiClient(address));
    await clients[0]!.put('tenants', acme);
    for (const client of clients) assert.deepEqual((await client.get('tenants', 'acme'))?.value, acme);
    for (const client of clients) client.close();
    await manager.close();
    assert.equal(existsSync(socket), false);
  });

  it('says in one line why it cannot start, and leaves nothing open', async (test) => {
    const directory = temporaryDirectory();
    const taken = createServer().listen(join(directory, 'taken.sock'));
    test.after(() => taken.close());
    await once(taken, 'listening');
    const file = join(directory, 'file');
    writeFileSync(file, 'not a socket');
    mkdirSync(join(directory, 'folder'));
    const first = await startManager(config({ database: join(directory, 'a.db') }), logger);
    test.after(() => first.close());
    const port = new URL(first.addresses[0]!).port;
    const database = join(directory, 'b.db');
    for (const [more, message] of [
      [{ database, listen: [`127.0.0.1:${port}`] }, /^listen: 127\.0\.0\.1:\d+ is in use; stop what listens/],
      [
        { database, listen: ['127.0.0.1:0', `unix:${directory}/taken.sock`] },
        /^listen: .*taken.sock is in use;/,
      ],
      [{ database, listen: [`unix:${file}`] }, /^listen: .*file is in use;/],
      [
        { database, listen: [`unix:${directory}/none/x`] },
        /^listen: .*none\/x: there is no directory .*none; one that/,
      ],
      [{ database, listen: ['192.0.2.1:0'] }, /^listen: 192.0.2.1:0 is not an address of this machine; /],
      [{ database, listen: [`unix:/${'x'.repeat(107)}`] }, /^listen: .*x: is 108 octets long; 107 at most/],
      [{ database: join(directory, 'none', 'x.db') }, /^database: .*x.db: there is no directory .*none; one/],
      [{ database: file }, /^database: .*file: is not a database; /],
      [{ database: join(directory, 'a.db') }, /^database: .*a.db: is in use by another manager; /],
      [{ database: join(directory, 'folder') }, /^database: .*folder: cannot be opened for writing/],
    ] as const) {
      await assert.rejects(startManager(config(more), logger), (error: Error) => {
        assert(error instanceof ManagerError, error.stack);
        assert.match(error.message, message);
        assert.doesNotMatch(error.message, /\n/);
        return true;
      });
    }
    const again = await startManager(config({ database }), logger);
    await again.close();
  });

  it('loses no acknowledged write when it is killed, and takes over the socket it left', async () => {
    const directory = temporaryDirectory();
    const socket = `unix:${join(directory, 'hp.sock')}`;
    const parts = JSON.stringify({ database: join(directory, 'hp.db'), listen: [socket] });
    const acknowledged: string[] = [];
    for (let life = 0; life < 4; life++) {
      const child = spawn(process.execPath, [managerProcess, parts], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      await once(child.stdout, 'data');
      const client = new ApiClient(socket);
      const known = await client.list('tenants');
      const names = new Set(known.items.map(({ value }) => value.name));
      for (const name of acknowledged) assert(names.has(name), `${name} was acknowledged and is lost`);
      let count = 0;
      const writers = Array.from({ length: 4 }, async (_, writer) => {
        for (let i = 0; ; i++) {
          const name = `t${life}-${writer}-${i}`;
          await client.put('tenants', tenant(name));
          acknowledged.push(name);
          if (++count === 40 * (life + 1)) process.kill(child.pid!, 'SIGKILL');
        }
      });
      const ends = await Promise.allSettled(writers);
      assert(ends.every((end) => end.status === 'rejected'));
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
      assert.equal(child.signalCode, 'SIGKILL');
      client.close();
    }
    assert(acknowledged.length >= 400);
    const last = await startManager(managerConfigSchema.parse(JSON.parse(parts)), logger);
    const client = new ApiClient(socket);
    const names = new Set((await client.list('tenants')).items.map(({ value }) => value.name));
    for (const name of acknowledged) assert(names.has(name), `${name} was acknowledged and is lost`);
    client.close();
    await last.close();
  });
});

describe('the database', () => {
  it('is made where there was none, and not where one was that is gone', async () => {
    const directory = temporaryDirectory();
    const database = join(directory, 'm.db');
    const start = (anew = false) => startManager(config({ database }), logger, { anew });
    await (await start()).close();
    await assert.rejects(start(true), {
      message: /^database: .*m\.db is there; to start without --init would/,
    });
    for (const name of readdirSync(directory)) if (name.startsWith('m.db')) rmSync(join(directory, name));
    await assert.rejects(start(), {
      name: 'ManagerError',
      message:
        /^database: .*m\.db is gone: one was here \([0-9a-f]{32}\); to put a copy of it back, or to start once with --init for a new and empty one, would be right$/,
    });
    assert.equal(existsSync(database), false);
    await (await start(true)).close();
    await (await start()).close();
  });

  it('that was made for a manager that could not start is not there afterwards', async () => {
    const directory = temporaryDirectory();
    const database = join(directory, 'm.db');
    await assert.rejects(startManager(config({ database, listen: ['192.0.2.1:0'] }), logger), /192\.0\.2\.1/);
    assert.deepEqual(readdirSync(directory), []);
  });
});

describe('a configuration that is read again', () => {
  it('is in force for all but the database, and connections go on; what cannot be changes nothing', async (test) => {
    const directory = temporaryDirectory();
    const socket = `unix:${join(directory, 'a.sock')}`;
    const first = { listen: ['127.0.0.1:0', socket] };
    const manager = await startManager(config(first), logger);
    test.after(() => manager.close());
    const open = new ApiClient(socket);
    test.after(() => open.close());
    await open.put('tenants', acme);
    const next = { listen: [socket, `unix:${join(directory, 'b.sock')}`], token: 'a-long-secret' };
    await assert.rejects(manager.reload(config({ ...next, listen: [...next.listen, '192.0.2.1:0'] })), /192/);
    await assert.rejects(
      manager.reload(config({ ...next, database: join(directory, 'x.db') })),
      /^\w+: database: /,
    );
    assert.equal((await open.list('tenants')).items.length, 1);
    await manager.reload(config(next));
    assert.deepEqual(manager.addresses, next.listen);
    await assert.rejects(open.list('tenants'), { status: 401 });
    const known = new ApiClient(next.listen[1]!, { token: next.token });
    test.after(() => known.close());
    assert.equal((await known.list('tenants')).items.length, 1);
  });
});
