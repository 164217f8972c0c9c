import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, it } from 'node:test';
import { ApiError } from '../../../src/client/api-error.ts';
import { ApiClient, type ClientOptions } from '../../../src/client/client.ts';
import { profileSchema } from '../../../src/api/profile.ts';

/** A server that answers as told, and a client of it. */
async function against(answer: RequestListener, options: ClientOptions = {}) {
  const server = createServer(answer).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const client = new ApiClient(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, options);
  return {
    server,
    client,
    [Symbol.asyncDispose]: async () => {
      client.close();
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}

const fails =
  (message: RegExp, status: number | null = null) =>
  (error: unknown) => {
    assert(error instanceof ApiError, String(error));
    assert.match(error.message, message);
    assert.equal(error.status, status);
    return true;
  };

function* soon(): Generator<number, never> {
  for (;;) yield 1;
}

describe('the client', () => {
  it('takes two kinds of address and refuses others in one line', () => {
    for (const url of ['http://127.0.0.1:7470', 'http://[::1]:7470', 'http://manager', 'unix:/run/hp.sock'])
      new ApiClient(url).close();
    for (const url of ['', 'https://x', '127.0.0.1:7470', 'http://x/path', 'unix:', 'http://user@x'])
      assert.throws(
        () => new ApiClient(url),
        fails(/is not a manager's address; http:\/\/HOST:PORT or unix:/),
      );
  });

  it('says in one line why there is no answer', async () => {
    const { server, client } = await against(() => {});
    server.close();
    await once(server, 'close');
    await assert.rejects(
      client.list('tenants'),
      fails(/^http:\/\/127.0.0.1:\d+: nothing listens there; is the/),
    );
    const nowhere = new ApiClient('unix:/nowhere/hp.sock');
    await assert.rejects(
      nowhere.list('tenants'),
      fails(/^unix:\/nowhere\/hp.sock: there is no such socket; is/),
    );
  });

  it('waits for an answer no longer than it is told', async () => {
    await using silent = await against(() => {}, { timeoutMs: 20 });
    await assert.rejects(silent.client.list('tenants'), fails(/: no answer in time$/));
    await using stuck = await against((_, response) => void response.write('{'), { timeoutMs: 20 });
    await assert.rejects(stuck.client.list('tenants'), fails(/: no answer in time$/));
  });

  it('takes nothing from who is no manager', async () => {
    for (const [body, message] of [
      ['<html>', /^the manager's answer is not JSON; is it a manager\?$/],
      [
        '{"revision":1,"items":[{"revision":2,"value":{"name":"-"}}]}',
        /^the manager's answer: items.0.value.name: "-"/,
      ],
      ['[]', /^the manager's answer: is an empty list; a mapping would be right$/],
    ] as const) {
      await using run = await against((_, response) => void response.end(body));
      await assert.rejects(run.client.list('tenants'), fails(message, 200));
    }
    await using bare = await against((_, response) => void response.end('{"name":"a"}'));
    await assert.rejects(bare.client.get('tenants', 'a'), fails(/has no revision; is it a manager\?$/, 200));
    await using proxy = await against((_, response) => void response.writeHead(502).end('<html>'));
    await assert.rejects(
      proxy.client.get('tenants', 'a'),
      fails(/^the manager refuses with status 502$/, 502),
    );
  });

  it('asks once more where a kept connection had gone', async () => {
    let requests = 0;
    await using run = await against((request, response) => {
      requests++;
      if (requests === 2) request.socket.resetAndDestroy();
      else response.end('{"revision":1,"items":[]}');
    });
    await run.client.list('tenants');
    const { revision, items } = await run.client.list('tenants');
    assert.deepEqual([revision, items], [1, []]);
    assert.equal(requests, 3);
  });

  it('never sends what the manager would refuse', async () => {
    await using run = await against(() => assert.fail('it was sent'));
    const good = profileSchema.parse({
      managerId: 'm',
      typeId: 1,
      typeVersion: 1,
      name: 'x',
      tenant: 'x',
      vlan: 1,
    });
    await assert.rejects(
      run.client.put('profiles', { ...good, rate: { 'to-vm': { max: 1, burst: 20_000 } } }),
      fails(/max: is .*; at least 8000 would be right$/, 400),
    );
  });

  it('gives up a watch that has gone silent, and tries again', async () => {
    let watches = 0;
    await using run = await against(
      (request, response) => {
        if (!request.url!.includes('watch')) response.end('{"revision":1,"items":[]}');
        else {
          watches++;
          response.writeHead(200, { 'content-type': 'text/event-stream' }).write(': hello\n\n');
        }
      },
      { silenceMs: 20, backoff: soon },
    );
    const abort = new AbortController();
    const kinds: string[] = [];
    await run.client.watch(
      'tenants',
      null,
      (event) => {
        kinds.push(event.kind === 'disconnected' ? event.error : event.kind);
        if (kinds.length === 5) abort.abort();
      },
      abort.signal,
    );
    const silent = 'the manager was silent for 0.02 s';
    assert.deepEqual(kinds, ['list', 'connected', silent, 'connected', silent]);
    assert.equal(watches, 2);
  });

  it('waits longer and longer for a manager that is away, and not at all once it is told to stop', async () => {
    const { server, client } = await against(() => {}, {
      backoff: function* () {
        for (let i = 1; ; i++) yield (asked = i);
      },
    });
    let asked = 0;
    server.close();
    await once(server, 'close');
    const abort = new AbortController();
    const errors: string[] = [];
    await client.watch(
      'tenants',
      null,
      (event) => {
        assert(event.kind === 'disconnected');
        errors.push(event.error);
        if (errors.length === 4) abort.abort();
      },
      abort.signal,
    );
    assert.equal(asked, 4);
    assert.equal(errors.length, 4);
    await client.watch('tenants', null, () => assert.fail('it was aborted'), abort.signal);
  });

  it('hands on what the listener throws, and nothing else', async () => {
    await using run = await against((_, response) => void response.end('{"revision":1,"items":[]}'));
    const mistake = new Error('a mistake of the listener');
    const watch = run.client.watch(
      'tenants',
      null,
      () => {
        throw mistake;
      },
      new AbortController().signal,
    );
    await assert.rejects(watch, mistake);
  });
});
