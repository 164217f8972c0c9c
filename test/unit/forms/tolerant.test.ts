import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { it } from 'node:test';
import type { AddressInfo } from 'node:net';
import { ApiClient, type WatchEvent } from '../../../src/client/client.ts';
import { profileSchema } from '../../../src/api/profile.ts';
import { readTolerantly } from '../../../src/forms/tolerant.ts';
import { vsiSchema } from '../../../src/api/vsi.ts';

const vsi = {
  vsiId: '4a1b0000-0000-4000-8000-000000000001',
  name: 'vm1',
  tenant: 'acme',
  macs: ['52:54:00:00:00:01'],
  profile: 'dc1/17/1',
};

it('what is not known is left out, however deep; what is wrong stays wrong', () => {
  const status = { association: 'associated', bridge: 'sw', port: 'p1', at: 1, since: 7 };
  const read = readTolerantly(vsiSchema, { ...vsi, zone: { a: 1 }, status });
  assert.equal(read.data?.status?.port, 'p1');
  assert.equal(vsiSchema.safeParse({ ...vsi, zone: 1 }).success, false, 'people are told of a slip');
  assert.equal(readTolerantly(vsiSchema, { ...vsi, zone: 1, macs: ['x'] }).success, false);
  assert.equal(readTolerantly(vsiSchema, null).success, false);
  const profile = {
    managerId: 'dc1',
    typeId: 1,
    typeVersion: 1,
    name: 'web',
    tenant: 'acme',
    vlan: 10,
    guards: { address: true, arp: { rate: 5 } },
    accessList: { rules: [{ action: 'deny', protocol: 'tcp', state: 'new' }], otherwise: 'allow', log: true },
  };
  assert.equal(readTolerantly(profileSchema, profile).data?.accessList.rules.length, 1);
});

it('a bridge follows a later manager, whose lists and changes have more keys', async (t) => {
  const server = createServer((request, response) => {
    if (request.url === '/v1/vsis') {
      response.end(
        JSON.stringify({
          revision: 1,
          shard: 2,
          items: [{ revision: 1, site: 'x', value: { ...vsi, zone: 1 } }],
        }),
      );
      return;
    }
    const change = {
      kind: 'put',
      key: vsi.vsiId,
      revision: 2,
      author: 'me',
      value: { ...vsi, name: 'vm2', zone: 2 },
    };
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.write(`event: put\ndata: ${JSON.stringify(change)}\n\n`);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const client = new ApiClient(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  const abort = new AbortController();
  t.after(() => {
    abort.abort();
    client.close();
    server.closeAllConnections();
    server.close();
  });
  const names: string[] = [];
  const seen = Promise.withResolvers<void>();
  const listener = (event: WatchEvent<'vsis'>): void => {
    if (event.kind === 'list') names.push(...event.items.map(({ value }) => value.name));
    if (event.kind === 'disconnected') seen.reject(new Error(event.error));
    if (event.kind === 'put') {
      names.push(event.value.name);
      seen.resolve();
    }
  };
  void client.watch('vsis', null, listener, abort.signal);
  await seen.promise;
  assert.deepEqual(names, ['vm1', 'vm2']);
});
