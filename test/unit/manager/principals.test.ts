import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { ApiClient } from '../../../src/client/client.ts';
import { explainIssues } from '../../../src/forms/explain.ts';
import { managerConfigSchema } from '../../../src/manager/config.ts';
import type { Moment } from '../../../src/domain/migration.ts';
import {
  acme,
  config,
  profile,
  running,
  seed,
  temporaryDirectory,
  vsiIdOf,
} from '../../kit/manager/support.ts';

const sha256 = (token: string) => createHash('sha256').update(token).digest('hex');
const tokens = [
  { name: 'sw1', kind: 'bridge', sha256: sha256('token-of-sw1') },
  { name: 'h1', kind: 'station', sha256: sha256('token-of-h1') },
  { name: 'ada', kind: 'administrator', sha256: sha256('token-of-ada') },
];

/** What each of these clients is told of the same request. */
async function told(
  url: string,
  names: readonly string[],
  request: (client: ApiClient) => Promise<unknown>,
): Promise<Record<string, string>> {
  const answers: Record<string, string> = {};
  for (const name of names) {
    const client = new ApiClient(url, { token: `token-of-${name}` });
    answers[name] = await request(client).then(
      () => 'done',
      (error: Error) => error.message,
    );
    client.close();
  }
  return answers;
}

const all = ['sw1', 'h1', 'ada'];
const vsiId = vsiIdOf(1);

describe('who has a token of its own', () => {
  it('reads the collections, and changes nothing unless it is an administrator', async () => {
    await using run = await running({ tokens }, { token: 'token-of-ada' });
    await seed(run.client);
    const { url } = run;
    assert.deepEqual(await told(url, all, (client) => client.list('vsis')), {
      sw1: 'done',
      h1: 'done',
      ada: 'done',
    });
    const refused = (what: string) => ({
      sw1: `bridge sw1 may not change ${what}; an administrator's token would be right`,
      h1: `station h1 may not change ${what}; an administrator's token would be right`,
      ada: 'done',
    });
    assert.deepEqual(await told(url, all, (client) => client.put('tenants', acme)), refused('tenants'));
    assert.deepEqual(
      await told(url, all, (client) => client.put('profiles', profile(18))),
      refused('profiles'),
    );
    assert.deepEqual(await told(url, all, (client) => client.delete('vsis', vsiId)), refused('vsis'));
  });

  it('speaks for itself only', async () => {
    await using run = await running({ tokens }, { token: 'token-of-ada' });
    await seed(run.client);
    const { url } = run;
    const at = Date.now() * 1000;
    const own = 'a token of that one would be right';
    const bridge = (name: string) => (client: ApiClient) => client.put('bridges', { name, ports: [], at });
    assert.deepEqual(await told(url, all, bridge('SW1')), {
      sw1: 'done',
      h1: `station h1 may not speak for bridge SW1; ${own}`,
      ada: 'done',
    });
    assert.equal(
      (await told(url, ['sw1'], bridge('sw2')))['sw1'],
      `bridge sw1 may not speak for bridge sw2; ${own}`,
    );
    const status = (name: string) => (client: ApiClient) =>
      client.putStatus(vsiId, { association: 'associated', bridge: name, port: 'p1', station: null, at });
    assert.deepEqual(await told(url, all, status('sw2')), {
      sw1: `bridge sw1 may not speak for bridge sw2; ${own}`,
      h1: `station h1 may not speak for bridge sw2; ${own}`,
      ada: 'done',
    });
    assert.equal((await told(url, ['sw1'], status('sw1')))['sw1'], 'done');
    const report = (by: string, moment: Moment) => (client: ApiClient) =>
      client.report({ vsiId, moment, at, by });
    assert.deepEqual(await told(url, all, report('h1', 'announce')), {
      sw1: `bridge sw1 may not speak for agent h1; ${own}`,
      h1: 'done',
      ada: 'done',
    });
  });

  it("reads the stations' keys if it is a bridge, and not if it is a station", async () => {
    const stationKeys = join(temporaryDirectory(), 'keys');
    writeFileSync(stationKeys, `h1: ${'01'.repeat(32)}`, { mode: 0o600 });
    await using run = await running({ tokens, stationKeys });
    assert.deepEqual(await told(run.url, all, (client) => client.stationKeys()), {
      sw1: 'done',
      h1: "station h1 may not read station keys; a bridge's token would be right",
      ada: 'done',
    });
  });

  it('is refused like anybody else when the token is not there any more', async () => {
    await using run = await running({ tokens, token: 'shared-by-all' });
    const list = (client: ApiClient) => client.list('vsis');
    assert.deepEqual(await told(run.url, ['h1', 'eve'], list), {
      h1: 'done',
      eve: "the token is missing or wrong; the manager's configuration has it as `token`, or its SHA-256 among `tokens`",
    });
    await run.manager.reload(config({ tokens: tokens.slice(0, 1), token: 'shared-by-all' }));
    assert.match((await told(run.url, ['h1'], list))['h1']!, /^the token is missing or wrong/);
    const client = new ApiClient(run.url, { token: 'shared-by-all' });
    await client.put('tenants', acme);
    client.close();
  });

  it('is in the configuration by a SHA-256 that nobody else has', () => {
    const bad = {
      database: ':memory:',
      tokens: [
        tokens[0],
        { ...tokens[1], sha256: tokens[0]!.sha256 },
        { ...tokens[2], sha256: 'token-of-ada' },
      ],
    };
    const { error } = managerConfigSchema.safeParse(bad);
    assert.deepEqual(explainIssues('m.yaml', error!, bad), [
      'm.yaml: tokens.2.sha256: is no SHA-256; 64 hexadecimal digits, as "printf %s TOKEN | sha256sum" prints them, would be right',
      'm.yaml: tokens.1.sha256: is that of tokens.0; a token of its own would be right',
    ]);
  });
});
