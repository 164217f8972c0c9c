import assert from 'node:assert/strict';
import { chmodSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { pino } from 'pino';
import { ApiClient } from '../../../src/client/client.ts';
import { startManager } from '../../../src/manager/run.ts';
import { config, running, temporaryDirectory } from '../../kit/manager/support.ts';

const [k1, k2] = ['0123456789abcdef'.repeat(4), '01'.repeat(32)];
const octets = (key: string) => Uint8Array.from(Buffer.from(key, 'hex'));
const token = 'open-sesame';

function keyFile(text: string): string {
  const path = join(temporaryDirectory(), 'keys');
  writeFileSync(path, text, { mode: 0o600 });
  return path;
}

async function keysOf(url: string, options: { readonly token?: string } = {}): Promise<unknown> {
  const client = new ApiClient(url, options);
  try {
    return Object.fromEntries(await client.stationKeys());
  } finally {
    client.close();
  }
}

describe("the stations' keys", () => {
  it('are given over a unix socket, and over TCP to who shows the token', async () => {
    const socket = `unix:${join(temporaryDirectory(), 'm.sock')}`;
    const stationKeys = keyFile(`h1: ${k1}\nh2: [${k2}, ${k1}]`);
    const keys = { h1: [octets(k1)], h2: [octets(k2), octets(k1)] };
    {
      await using run = await running({ listen: ['127.0.0.1:0', socket], stationKeys });
      assert.deepEqual(await keysOf(socket), keys);
      for (const options of [{}, { token }])
        await assert.rejects(keysOf(run.url, options), {
          status: 403,
          message:
            'station keys are given over a unix socket, or to who shows a token; a manager with `token` would be right',
        });
    }
    await using run = await running({ listen: ['127.0.0.1:0', socket], stationKeys, token });
    for (const url of [run.url, socket]) {
      assert.deepEqual(await keysOf(url, { token }), keys);
      for (const options of [{}, { token: 'open-barley' }])
        await assert.rejects(keysOf(url, options), { status: 401 });
    }
  });

  it('are none without a file', async () => {
    await using run = await running({ token });
    assert.deepEqual(await keysOf(run.url, { token }), {});
  });

  it('are those of the file as it is now; one that is wrong is told without a key, and is no empty one', async () => {
    const stationKeys = keyFile(`h1: ${k1}`);
    await using run = await running({ token, stationKeys });
    assert.deepEqual(await keysOf(run.url, { token }), { h1: [octets(k1)] });
    writeFileSync(stationKeys, `h1: ${k2}`);
    assert.deepEqual(await keysOf(run.url, { token }), { h1: [octets(k2)] });
    writeFileSync(stationKeys, `h1: ${k2}0`);
    await assert.rejects(keysOf(run.url, { token }), {
      status: 503,
      message: `stationKeys: ${stationKeys}: h1: does not fit; 64 hexadecimal digits, as "openssl rand -hex 32" prints them, would be right`,
    });
    writeFileSync(stationKeys, `h1: ${k2}`);
    chmodSync(stationKeys, 0o644);
    await assert.rejects(keysOf(run.url, { token }), {
      status: 503,
      message: `stationKeys: ${stationKeys} has mode 0644, so that others can read it; 0600 would be right`,
    });
  });

  it('that are wrong keep the manager from starting, and a reload from changing anything', async () => {
    const stationKeys = keyFile(`h1: ${k1}0`);
    const logged: string[] = [];
    const logger = pino({}, { write: (line: string) => void logged.push(line) });
    await assert.rejects(startManager(config({ stationKeys }), logger), {
      message: /^stationKeys: \S+keys: h1: does not fit; [^0-9]*64 hexadecimal digits/,
    });
    const right = keyFile(`h1: ${k1}`);
    const manager = await startManager(config({ token, stationKeys: right }), logger);
    const [url] = manager.addresses;
    try {
      await assert.rejects(async () => manager.reload(config({ token, stationKeys })), {
        message: /^stationKeys: \S+keys: h1: does not fit/,
      });
      assert.deepEqual(await keysOf(url!, { token }), { h1: [octets(k1)] });
      writeFileSync(stationKeys, `h2: ${k2}`);
      await manager.reload(config({ token, stationKeys }));
      assert.deepEqual(await keysOf(url!, { token }), { h2: [octets(k2)] });
    } finally {
      await manager.close();
    }
    for (const key of [k1, k2]) assert.ok(!logged.join('').includes(key));
  });
});

it('a bridge that is given no keys by what it asks is told so without them', async () => {
  const server = createServer((_, response) => response.end(JSON.stringify({ [k1]: k2.slice(1), h1: 7 })));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { readonly port: number };
  try {
    await assert.rejects(keysOf(`http://127.0.0.1:${port}`), {
      name: 'ApiError',
      message: /^the manager's answer: \(digits\): does not fit/,
    });
  } finally {
    server.close();
  }
});
