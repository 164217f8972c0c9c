import assert from 'node:assert/strict';
import { request, type RequestOptions } from 'node:http';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { foreign } from '../../../src/manager/http/origin.ts';
import { acme, running, temporaryDirectory } from '../../kit/manager/support.ts';

const names = new Set(['manager.example', 'rack7']);

describe('a request over TCP', () => {
  it('is the business of who names an address, localhost or a name of the manager', () => {
    for (const host of ['127.0.0.1:7470', '10.0.0.1', '[::1]:7470', 'localhost:80', 'Rack7:7470'])
      assert.equal(foreign({ host }, names, false), null, host);
    for (const host of ['evil.example', 'evil.example:7470', '127.0.0.1.evil.example', undefined, ''])
      assert.match(
        foreign({ host }, names, false) ?? '',
        /^Host is ".*an IP address, localhost or one of `hosts`/,
      );
  });

  it('may name any host if it shows the token, which no page knows', () => {
    assert.equal(foreign({ host: 'evil.example' }, names, true), null);
  });

  it("is no other page's, whatever it shows", () => {
    const host = '127.0.0.1:7470';
    assert.equal(foreign({ host, origin: 'http://127.0.0.1:7470' }, names, false), null);
    assert.equal(foreign({ host, origin: 'https://manager.example' }, names, false), null);
    for (const origin of ['https://evil.example', 'http://127.0.0.1:8000', 'null', 'http://localhost:7470'])
      assert.match(foreign({ host, origin }, names, true) ?? '', /^Origin is ".*a page that is not/);
  });
});

/** A request with headers that fetch would not let through. */
function ask(to: RequestOptions, headers: Record<string, string>): Promise<number> {
  return new Promise((resolve, reject) => {
    request({ ...to, headers, agent: false }, (response) => {
      response.resume();
      resolve(response.statusCode!);
    })
      .on('error', reject)
      .end();
  });
}

it('a page that found the way to a manager on loopback changes nothing there', async () => {
  const socketPath = join(temporaryDirectory(), 'm.sock');
  await using run = await running({
    listen: ['127.0.0.1:0', `unix:${socketPath}`],
    hosts: ['manager.example'],
  });
  await run.client.put('tenants', acme);
  const { hostname: host, port } = new URL(run.url);
  const to = { host, port, method: 'DELETE', path: '/v1/tenants/acme' };
  const rebound = { host: 'evil.example:7470', origin: 'http://evil.example:7470' };
  assert.equal(await ask(to, rebound), 403);
  assert.equal(await ask(to, { host: 'evil.example' }), 403);
  assert.equal(await ask(to, { origin: 'http://evil.example' }), 403);
  assert.notEqual(await run.client.get('tenants', 'acme'), null);
  assert.equal(await ask({ ...to, method: 'GET' }, { host: 'manager.example' }), 200);
  assert.equal(await ask({ socketPath, method: 'DELETE', path: to.path }, rebound), 204, 'not over TCP');
});
