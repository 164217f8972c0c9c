import assert from 'node:assert/strict';
import { plainForwarding } from '../../../src/domain/port-profile.ts';
import { describe, it } from 'node:test';
import { acme, profile, running, seed, vsi } from '../../kit/manager/support.ts';

async function send(url: string, method: string, body?: string, headers: Record<string, string> = {}) {
  const response = await fetch(url, {
    method,
    headers: { 'content-type': 'application/json', ...headers },
    ...(body !== undefined && { body }),
  });
  const text = await response.text();
  return {
    status: response.status,
    etag: response.headers.get('etag'),
    json: text ? JSON.parse(text) : null,
  };
}

const web = {
  managerId: 'dc1',
  typeId: 17,
  typeVersion: 1,
  name: 'web',
  tenant: 'acme',
  vlan: 10,
  rate: { fromVm: { max: 1_000_000_000 } },
};

describe('over HTTP', () => {
  it('a profile reads as it was written, with what was left out filled in', async () => {
    await using run = await running();
    const { url, client } = run;
    await client.put('tenants', acme);
    const created = await send(`${url}/v1/profiles/dc1/17/1`, 'PUT', JSON.stringify(web));
    assert.equal(created.status, 201);
    assert.deepEqual(created.json, {
      tagged: false,
      ...plainForwarding,
      guards: { address: false, dhcpServer: true, routerAdvertisement: true, control: true },
      ...web,
      rate: { fromVm: { max: 1_000_000_000, burst: 125_000_000 } },
    });
    const read = await send(`${url}/v1/profiles/dc1/17/1`, 'GET');
    assert.deepEqual([read.status, read.etag, read.json], [200, created.etag, created.json]);
    const replaced = await send(
      `${url}/v1/profiles/dc1/17/1`,
      'PUT',
      JSON.stringify({ ...read.json, vlan: 11 }),
      {
        'if-match': read.etag!,
      },
    );
    assert.equal(replaced.status, 200);
    const stale = await send(`${url}/v1/profiles/dc1/17/1`, 'PUT', JSON.stringify(read.json), {
      'if-match': read.etag!,
    });
    assert.equal(stale.status, 412);
    assert.match(stale.json.error, /^it has changed: its revision is \d+, not \d+$/);
  });

  it('a mistake is one line that names the key and what would be right', async () => {
    await using run = await running();
    const { url, client } = run;
    await seed(client);
    const put = (more: object) =>
      send(`${url}/v1/profiles/dc1/17/1`, 'PUT', JSON.stringify({ ...web, ...more }));
    for (const [more, field, error] of [
      [{ vlan: 4095 }, 'vlan', 'vlan: VLAN 4095 does not exist; a VLAN identifier is 1 to 4094'],
      [
        { rate: { fromVm: { max: 0 } } },
        'rate.fromVm.max',
        'rate.fromVm.max: is 0; at least 8000 would be right',
      ],
      [{ rate: { in: {} } }, 'rate.in', 'rate.in: is not a known key; fromVm, toVm would be right'],
      [{ mirorr: null }, 'mirorr', /^mirorr: is not a known key; managerId, .*, mirror would be right$/],
      [{ name: undefined }, 'name', 'name: is missing; a text would be right'],
      [{ name: 'a\nb' }, 'name', 'name: "a\\u000ab" does not fit; 1 to 64 characters in one line do'],
      [{ typeVersion: 256 }, 'typeVersion', 'typeVersion: is 256; at most 255 would be right'],
    ] as const) {
      const answer = await put(more);
      assert.equal(answer.status, 400);
      assert.equal(answer.json.field, field);
      if (typeof error === 'string') assert.equal(answer.json.error, error);
      else assert.match(answer.json.error, error);
    }
    const badMac = { ...vsi(2, profile(17)), macs: ['52:54:00:00:00'] };
    const answer = await send(`${url}/v1/vsis/${badMac.vsiId}`, 'PUT', JSON.stringify(badMac));
    assert.deepEqual(answer.json, {
      error: 'macs.0: "52:54:00:00:00" is not a MAC address like 52:54:00:00:00:0a',
      field: 'macs.0',
    });
  });

  it('a request that is not one is refused in one line', async () => {
    await using run = await running();
    const { url } = run;
    const tenant = `${url}/v1/tenants/acme`;
    const good = '{"name":"acme"}';
    for (const [answer, status, error] of [
      [await send(tenant, 'PUT', '{'), 400, /^the body is not JSON: /],
      [await send(tenant, 'PUT', good, { 'content-type': 'text/plain' }), 415, /^the body is text\/plain; /],
      [await send(tenant, 'PUT', '{"name":"b"}'), 400, /^the body is of b, and the address is acme's$/],
      [await send(tenant, 'PUT', `"${'x'.repeat(5_000_000)}"`), 413, /^the body is too long; /],
      [
        await send(tenant, 'PUT', good, { 'if-match': '17' }),
        400,
        /^If-Match is 17; an ETag like "17" would/,
      ],
      [await send(tenant, 'PUT', good, { 'if-none-match': '"1"' }), 400, /^If-None-Match is "1"; \* would/],
      [await send(tenant, 'POST', good), 404, /^there is no \/v1\/tenants\/acme; \/v1\/openapi.json says/],
      [await send(`${url}/v1/tenants/-x`, 'GET'), 400, /^"-x" is not a name; /],
      [await send(`${url}/v1/profiles/dc1/17/256`, 'GET'), 400, /^VSI type version 256 does not fit; /],
      [await send(`${url}/v1/vsis/1`, 'DELETE'), 400, /^"1" is not a VSIID; /],
      [await send(`${url}/v1/tenants/acme`, 'GET'), 404, /^there is no tenant acme$/],
      [await send(`${url}/nowhere`, 'GET'), 404, /^there is no \/nowhere; /],
    ] as const) {
      assert.match(answer.json.error, error);
      assert.equal(answer.status, status);
    }
  });

  it('health says that the store answers', async () => {
    await using run = await running();
    assert.deepEqual((await send(`${run.url}/v1/health`, 'GET')).json, { status: 'ok' });
  });

  it('the document has every path and schema, and no reference that leads nowhere', async () => {
    await using run = await running();
    const { json } = await send(`${run.url}/v1/openapi.json`, 'GET');
    assert.equal(json.openapi, '3.1.0');
    const methods = Object.entries(json.paths as Record<string, object>).map(
      ([path, item]) => `${Object.keys(item).join(' ')} ${path}`,
    );
    assert.deepEqual(methods.sort(), [
      'get /v1/bridges',
      'get /v1/migrations',
      'get /v1/migrations/{id}',
      'get /v1/profiles',
      'get /v1/tenants',
      'get /v1/vsis',
      'get put delete /v1/bridges/{name}',
      'get put delete /v1/profiles/{managerId}/{typeId}/{typeVersion}',
      'get put delete /v1/tenants/{name}',
      'get put delete /v1/vsis/{vsiId}',
      'post /v1/accept',
      'post /v1/migrations/reports',
      'put /v1/vsis/{vsiId}/status',
    ]);
    const references = [...JSON.stringify(json).matchAll(/"\$ref":"([^"]+)"/g)].map(([, to]) => to!);
    assert(references.length > 20);
    for (const to of references) {
      const name = /^#\/components\/schemas\/(\w+)$/.exec(to)?.[1];
      assert(name !== undefined && name in json.components.schemas, `${to} leads nowhere`);
    }
    const { properties, ...rest } = json.components.schemas.Tenant;
    assert.deepEqual(Object.keys(properties), ['name', 'vlans', 'rate', 'guaranteed']);
    assert.deepEqual(rest, { type: 'object', required: ['name'], additionalProperties: false });
  });

  it('a token lets in who shows it', async () => {
    await using run = await running({ token: 'correct-horse' }, { token: 'correct-horse' });
    const { url, client } = run;
    await client.put('tenants', acme);
    for (const headers of [
      {},
      { authorization: 'Bearer wrong' },
      { authorization: 'Bearer correct-horse2' },
      { authorization: 'Basic correct-horse' },
    ] as Record<string, string>[]) {
      const refused = await send(`${url}/v1/tenants`, 'GET', undefined, headers);
      assert.equal(refused.status, 401);
      assert.match(refused.json.error, /^the token is missing or wrong; /);
    }
    assert.equal((await send(`${url}/v1/health`, 'GET')).status, 200);
  });
});
