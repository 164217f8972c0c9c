import assert from 'node:assert/strict';
import { once } from 'node:events';
import { get, type IncomingMessage } from 'node:http';
import { describe, it } from 'node:test';
import { join } from 'node:path';
import { getRequestListener } from '@hono/node-server';
import { ApiClient, type ApiClient as Client, type WatchEvent } from '../../../src/client/client.ts';
import type { CollectionName } from '../../../src/api/collections.ts';
import { createApp } from '../../../src/manager/http/app.ts';
import { listen } from '../../../src/manager/http/listener.ts';
import { startManager } from '../../../src/manager/run.ts';
import { openSqlite } from '../../../src/store/sqlite/sqlite.ts';
import { identifier } from '../../../src/manager/access/tokens.ts';
import { Connections } from '../../../src/manager/http/connections.ts';
import { quarantined, type ReadableStore } from '../../../src/manager/objects/quarantine.ts';
import {
  acme,
  config,
  keyOf,
  logger,
  profile,
  running,
  seed,
  temporaryDirectory,
  tenant,
} from '../../kit/manager/support.ts';

/** A watch whose events are taken one by one. */
function watching<Name extends CollectionName>(client: Client, name: Name, from: number | null = null) {
  const events: WatchEvent<Name>[] = [];
  let wake = () => {};
  const abort = new AbortController();
  const ended = client.watch(
    name,
    from,
    (event) => {
      events.push(event);
      wake();
    },
    abort.signal,
  );
  return {
    async next(): Promise<WatchEvent<Name>> {
      while (events.length === 0)
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      return events.shift()!;
    },
    async stop() {
      abort.abort();
      await ended;
    },
  };
}

describe('a watch', () => {
  it('lists, then tells every change', async () => {
    await using run = await running();
    const { client } = run;
    await seed(client);
    const watch = watching(client, 'profiles');
    const list = await watch.next();
    assert(list.kind === 'list');
    assert.deepEqual(
      list.items.map(({ value }) => value),
      [profile(17)],
    );
    assert.equal((await watch.next()).kind, 'connected');
    const changed = profile(17, { name: 'changed' });
    const { revision } = await client.put('profiles', changed);
    assert.deepEqual(await watch.next(), { kind: 'put', key: 'dc1/17/1', revision, value: changed });
    await client.put('tenants', tenant('not-watched'));
    await client.put('profiles', profile(18));
    await client.delete('profiles', keyOf(profile(18)));
    assert.equal((await watch.next()).kind, 'put');
    const deleted = await watch.next();
    assert(deleted.kind === 'delete');
    assert.equal(deleted.key, 'dc1/18/1');
    await watch.stop();
  });

  it('from a revision tells what happened since', async () => {
    await using run = await running();
    const { client } = run;
    const { revision } = await client.list('tenants');
    await client.put('tenants', acme);
    const watch = watching(client, 'tenants', revision);
    assert.equal((await watch.next()).kind, 'connected');
    const put = await watch.next();
    assert(put.kind === 'put');
    assert.deepEqual(put.value, acme);
    await watch.stop();
  });

  it('lists again when the changes since are forgotten', async () => {
    await using run = await running({ history: 100 });
    const { client } = run;
    const { revision } = await client.list('tenants');
    for (let i = 0; i < 160; i++) await client.put('tenants', tenant(`t${i % 2}-${i}`));
    const watch = watching(client, 'tenants', revision);
    assert.equal((await watch.next()).kind, 'connected');
    const list = await watch.next();
    assert(list.kind === 'list');
    assert.equal(list.items.length, 160);
    await watch.stop();
  });

  it('comes back after the manager did, misses nothing, and ends with its signal', async () => {
    const directory = temporaryDirectory();
    const socket = join(directory, 'hp.sock');
    const start = () =>
      startManager(config({ database: join(directory, 'hp.db'), listen: [`unix:${socket}`] }), logger);
    const first = await start();
    const client = new ApiClient(first.addresses[0]!, { backoff: soon });
    const watch = watching(client, 'tenants');
    assert.equal((await watch.next()).kind, 'list');
    assert.equal((await watch.next()).kind, 'connected');
    await first.close();
    assert.deepEqual(await watch.next(), { kind: 'disconnected', error: 'the manager ended the watch' });
    const second = await start();
    await client.put('tenants', acme);
    let event = await watch.next();
    while (event.kind === 'disconnected') event = await watch.next();
    assert.equal(event.kind, 'connected');
    assert.equal((await watch.next()).kind, 'put');
    await watch.stop();
    client.close();
    await second.close();
  });

  it('lists again when another database took the place of the one it knew', async () => {
    const directory = temporaryDirectory();
    const listen = [`unix:${join(directory, 'hp.sock')}`];
    const first = await startManager(config({ listen }), logger);
    const client = new ApiClient(first.addresses[0]!, { backoff: soon });
    await client.put('tenants', acme);
    const watch = watching(client, 'tenants');
    assert.equal((await watch.next()).kind, 'list');
    await first.close();
    const second = await startManager(config({ listen }), logger);
    let event = await watch.next();
    while (event.kind !== 'list') event = await watch.next();
    assert.deepEqual(event.items, []);
    await watch.stop();
    client.close();
    await second.close();
  });

  it('is over for the store too when its client has gone', async () => {
    const store = openSqlite(':memory:');
    let open = 0;
    const ended = Promise.withResolvers<void>();
    const counting: ReadableStore = {
      ...store,
      unreadable: () => [],
      async *watch(...args) {
        open++;
        yield* store.watch(...args);
        open--;
        ended.resolve();
      },
    };
    const app = createApp({
      store: counting,
      logger,
      identify: identifier({ tokens: [] }),
      keepMigrations: () => 1,
      closing: new AbortController().signal,
    });
    const serve = getRequestListener(app.fetch, { overrideGlobalObjects: false });
    const listener = await listen(
      { kind: 'tcp', host: '127.0.0.1', port: 0 },
      (...args) => void serve(...args),
      new Connections({ total: 10, unproven: 10, proven: 10 }, () => {}),
    );
    const client = new ApiClient(listener.address);
    const watch = watching(client, 'tenants');
    await watch.next();
    await watch.next();
    await client.put('tenants', acme);
    await watch.next();
    assert.equal(open, 1);
    await watch.stop();
    await ended.promise;
    assert.equal(open, 0);
    client.close();
    await listener.close();
    await store.close();
  });

  it('sends server-sent events that a browser resumes by their id', async () => {
    await using run = await running();
    const { client, url } = run;
    const { revision } = await client.list('tenants');
    await client.put('tenants', acme);
    const seen = (await client.put('tenants', tenant('b'))).revision;
    const [text, response] = await firstEvent(`${url}/v1/tenants?watch=${revision}`);
    assert.equal(response.headers['content-type'], 'text/event-stream');
    assert.match(
      text,
      /event: put\ndata: \{"kind":"put","key":"acme","revision":\d+,"value":\{"name":"acme",.*\}\}\nid: [0-9a-f]{32}\.[0-9a-f]{16}:\d+\n\n/,
    );
    const [resumed] = await firstEvent(`${url}/v1/tenants?watch=${revision}`, {
      'last-event-id': String(seen - 1),
    });
    assert.match(resumed, /"key":"b"/);
    assert.doesNotMatch(resumed, /acme/);
    await assert.rejects(client.get('tenants', '?watch'), { status: 400 });
    const bad = await fetch(`${url}/v1/tenants?watch=soon`);
    assert.deepEqual(
      [bad.status, await bad.json()],
      [400, { error: 'watch: is "soon"; a revision like 17 would be right', field: 'watch' }],
    );
  });
});

function* soon(): Generator<number, never> {
  for (;;) yield 5;
}

/** What a stream has sent by the end of its first event. */
async function firstEvent(
  url: string,
  headers: Record<string, string> = {},
): Promise<[string, IncomingMessage]> {
  const request = get(url, { headers });
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  response.setEncoding('utf8');
  let text = '';
  while (!/data: .*\n(id: .*\n)?\n/.test(text)) text += ((await once(response, 'data')) as [string])[0];
  request.destroy();
  return [text, response];
}

it('a client that does not read is cut off with a word, and goes on from what it saw', async () => {
  const store = await quarantined(openSqlite(':memory:'), () => {});
  const app = createApp({
    store,
    logger,
    identify: identifier({ tokens: [] }),
    keepMigrations: () => 1,
    closing: new AbortController().signal,
    patienceMs: 200,
  });
  const { revision } = await store.list('');
  const response = await app.request(`/v1/tenants?watch=${revision}`);
  const value = (i: number) =>
    JSON.stringify({ name: `t${i}`, rate: {}, guaranteed: null, pad: 'x'.repeat(1e5) });
  for (let i = 0; i < 20; i++) await store.transact([], [{ key: `tenants/t${i}`, value: value(i) }]);
  await new Promise((resolve) => setTimeout(resolve, 600));
  const text = await response.text();
  assert.match(text.slice(-200), /event: slow\ndata: {"error":"nothing was read for 0.2 s"}\n\n$/);
  const ids = [...text.matchAll(/^id: (.*)$/gm)].map(([, id]) => id!);
  assert(ids.length < 20, 'all of it waited in memory');
  const cursor = ids.at(-1) ?? String(revision);
  const resumed = await app.request(`/v1/tenants?watch=${cursor}`);
  const reader = resumed.body!.getReader();
  let more = '';
  while (!more.includes('"key":"t19"')) more += Buffer.from((await reader.read()).value).toString();
  assert.equal(ids.length + [...more.matchAll(/^event: put$/gm)].length, 20, 'each once');
  await reader.cancel();
  await store.close();
});
