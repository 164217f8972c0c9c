import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { serveLocal } from '../../../src/local/socket-server.ts';
import { LocalSocketError } from '../../../src/local/socket-path.ts';
import { callLocal, followLocal } from '../../../src/local/socket-client.ts';
import { Invalid } from '../../../src/base/invalid.ts';

const directory = mkdtempSync(join(tmpdir(), 'hp-socket-'));
after(() => rmSync(directory, { recursive: true }));
const path = join(directory, 'control.sock');
const never = new AbortController().signal;

test('a call is answered, and what is wrong with it is told in its own words', async () => {
  const served = await serveLocal(path, {
    echo: (body) => Promise.resolve(body),
    wrong: () => Promise.reject(new Invalid('that does not fit')),
    broken: () => Promise.reject(new Error('cannot')),
  });
  assert.deepEqual(await callLocal(path, 'echo', { a: 1 }), { a: 1 });
  await assert.rejects(callLocal(path, 'wrong'), new Invalid('that does not fit'));
  await assert.rejects(callLocal(path, 'broken'), new LocalSocketError('cannot'));
  await assert.rejects(callLocal(path, 'other'), /POST to one of echo, wrong, broken/);
  await assert.rejects(followLocal(path, 'other', {}, never).next(), /POST to one of/);
  served.close();
  await assert.rejects(callLocal(path, 'echo'), /nobody serves it/);
  await assert.rejects(followLocal(path, 'echo', {}, never).next(), /nobody serves it/);
});

test('a path at which no socket can be says why, to who serves as to who calls', async () => {
  const nowhere = join(directory, 'none', 'x.sock');
  const long = join(directory, `${'x'.repeat(107)}.sock`);
  await assert.rejects(
    serveLocal(nowhere, {}),
    /x\.sock: there is no directory \S+none; one that exists would/,
  );
  await assert.rejects(serveLocal(long, {}), /x\.sock: is \d+ octets long; 107 at most would be right$/);
  await assert.rejects(callLocal(long, 'echo'), /x\.sock: is \d+ octets long; 107 at most would be right$/);
  await assert.rejects(callLocal(nowhere, 'echo'), { unserved: true });
});

test('a stream is read value by value, by several readers, until it ends', async () => {
  const served = await serveLocal(
    path,
    {},
    {
      count: (body) => {
        const { to } = body as { to: number };
        if (to < 0) throw new Invalid('to: 0 or more would be right');
        return (async function* () {
          for (let i = 1; i <= to; i++) yield { i, text: 'ä\n' };
        })();
      },
    },
  );
  const read = async (to: number) => {
    const values: unknown[] = [];
    for await (const value of followLocal(path, 'count', { to }, never)) values.push(value);
    return values;
  };
  const [one, other] = await Promise.all([read(3), read(10_000)]);
  assert.deepEqual(
    one,
    [1, 2, 3].map((i) => ({ i, text: 'ä\n' })),
  );
  assert.equal(other.length, 10_000);
  await assert.rejects(read(-1), new Invalid('to: 0 or more would be right'));
  served.close();
});

/** A stream that gives one value, and then waits until its reader is gone. */
async function endless() {
  const gone = Promise.withResolvers<void>();
  const served = await serveLocal(
    path,
    {},
    {
      wait: (_, signal) =>
        (async function* () {
          yield 1;
          if (!signal.aborted)
            await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
          gone.resolve();
        })(),
    },
  );
  return { served, gone: gone.promise };
}

test('a stream ends when its reader goes', async () => {
  const { served, gone } = await endless();
  const stop = new AbortController();
  const stream = followLocal(path, 'wait', {}, stop.signal);
  assert.deepEqual(await stream.next(), { value: 1, done: false });
  stop.abort();
  assert.deepEqual(await stream.next(), { value: undefined, done: true });
  await gone;
  served.close();
});

test('a stream ends in order when its server does', async () => {
  const { served, gone } = await endless();
  const stream = followLocal(path, 'wait', {}, never);
  assert.deepEqual(await stream.next(), { value: 1, done: false });
  served.close();
  assert.deepEqual(await stream.next(), { value: undefined, done: true });
  await gone;
});

test('a stream that breaks off is no stream that ended', async () => {
  const served = await serveLocal(
    path,
    {},
    {
      fail: () =>
        (async function* () {
          yield 1;
          await Promise.resolve();
          throw new Error('a bug');
        })(),
    },
  );
  const stream = followLocal(path, 'fail', {}, never);
  await assert.rejects(async () => {
    for (;;) if ((await stream.next()).done) return;
  }, /the connection broke/);
  served.close();
});
