import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { ApiError } from '../../../src/client/api-error.ts';
import type { VsiStatus } from '../../../src/domain/vsi.ts';
import { Invalid } from '../../../src/base/invalid.ts';
import { parseMac } from '../../../src/domain/mac-address.ts';
import { parseManagerId } from '../../../src/domain/manager-id.ts';
import { unguarded } from '../../../src/domain/port-profile.ts';
import { parseVid } from '../../../src/domain/vid.ts';
import { parseVlanRange } from '../../../src/domain/vlan-range.ts';
import { acme, keyOf, profile, running, seed, tenant, vsi, vsiIdOf } from '../../kit/manager/support.ts';

const web = profile(17);
const other = profile(18, { vlan: parseVid(20) });

describe('objects', () => {
  it('come back as they were put, with a revision', async () => {
    await using run = await running();
    const { client } = run;
    await seed(client);
    const full = profile(19, {
      rate: { 'from-vm': { max: 1_000_000, burst: 20_000 } },
      mirror: { session: 'ids', direction: 'from-vm' },
      accessList: {
        rules: [
          { action: 'deny', direction: 'to-vm', protocol: 6, destinationPorts: { from: 23, to: 23 } },
          { action: 'deny', direction: 'both', source: { address: '2001:db8::', length: 32 } },
        ],
        otherwise: 'allow',
      },
    });
    const put = await client.put('profiles', full);
    assert.deepEqual(put.value, full);
    assert.deepEqual(await client.get('profiles', keyOf(full)), put);
    assert.deepEqual((await client.get('vsis', vsiIdOf(1)))?.value, { ...vsi(1, web), status: null });
    const { revision, items } = await client.list('profiles');
    assert.deepEqual(
      items.map(({ value }) => keyOf(value)),
      ['dc1/17/1', 'dc1/19/1'],
    );
    assert.equal(items[1]?.revision, put.revision);
    assert(revision >= put.revision);
    assert.equal(await client.get('profiles', 'dc1/99/1'), null);
  });

  it('have names with every character a manager id may have', async () => {
    await using run = await running();
    const { client } = run;
    await client.put('tenants', acme);
    const odd = profile(1, { ref: { ...web.ref, managerId: parseManagerId('a?b#c%2F&') } });
    await client.put('profiles', odd);
    assert.deepEqual((await client.get('profiles', keyOf(odd)))?.value, odd);
    await client.delete('profiles', keyOf(odd));
    assert.equal(await client.get('profiles', keyOf(odd)), null);
  });

  it('are written only at the revision that the writer saw', async () => {
    await using run = await running();
    const { client } = run;
    const first = await client.put('tenants', acme, 'none');
    await assert.rejects(client.put('tenants', acme, 'none'), status(412, /exists already/));
    await assert.rejects(client.put('tenants', acme, first.revision + 1), status(412, /its revision is/));
    await assert.rejects(
      client.delete('tenants', 'acme', first.revision + 1),
      status(412, /its revision is/),
    );
    assert.deepEqual(await client.put('tenants', acme, first.revision), first);
    await client.delete('tenants', 'acme', first.revision);
    await assert.rejects(client.delete('tenants', 'acme'), status(404, /there is no tenant acme/));
    await assert.rejects(client.put('tenants', acme, first.revision), status(412, /does not exist/));
  });

  it('give exactly one of many writers at the same revision its way', async () => {
    await using run = await running();
    const { client } = run;
    await client.put('tenants', acme);
    const { revision } = await client.put('profiles', web);
    const results = await Promise.allSettled(
      Array.from({ length: 10 }, (_, i) => client.put('profiles', { ...web, name: `name ${i}` }, revision)),
    );
    assert.equal(results.filter((result) => result.status === 'fulfilled').length, 1);
    for (const result of results)
      if (result.status === 'rejected') assert.equal((result.reason as ApiError).status, 412);
  });

  it('refer to what exists, and what is in use stays', async () => {
    await using run = await running();
    const { client } = run;
    await assert.rejects(client.put('profiles', web), status(409, /no tenant acme/, 'tenant'));
    await client.put('tenants', acme);
    await assert.rejects(client.put('vsis', vsi(1, web)), status(409, /no profile dc1\/17\/1/, 'profile'));
    await seed(client);
    const stolen = vsi(2, web, { tenant: 'umbrella' });
    await assert.rejects(client.put('vsis', stolen), status(409, /profile dc1\/17\/1 is acme's/, 'tenant'));
    await assert.rejects(client.delete('profiles', keyOf(web)), status(409, /is used by VSI 4a1b.*\(vm1\)/));
    await assert.rejects(client.delete('tenants', 'acme'), status(409, /is used by profile dc1\/17\/1/));
    await client.put('tenants', tenant('umbrella'));
    await assert.rejects(
      client.put('profiles', { ...web, tenant: 'umbrella' }),
      status(409, /is used by VSI/, 'tenant'),
    );
    await client.delete('vsis', vsiIdOf(1));
    await client.put('profiles', { ...web, tenant: 'umbrella' });
    await client.delete('tenants', 'acme');
    await client.delete('profiles', keyOf(web));
    await client.delete('tenants', 'umbrella');
  });

  it('never end in a VSI without its profile, whoever is first', async () => {
    await using run = await running();
    const { client } = run;
    await client.put('tenants', acme);
    for (let i = 0; i < 20; i++) {
      await client.put('profiles', web);
      const [put] = await Promise.allSettled([
        client.put('vsis', vsi(1, web)),
        client.delete('profiles', keyOf(web)),
      ]);
      const there = await client.get('profiles', keyOf(web));
      assert.equal(there !== null, put.status === 'fulfilled');
      if (put.status === 'fulfilled') await client.delete('vsis', vsiIdOf(1));
    }
  });

  it('keep an address to one VSI per VLAN', async () => {
    await using run = await running();
    const { client } = run;
    await seed(client);
    await client.put('profiles', other);
    const [shared] = vsi(1, web).macs;
    const twin = vsi(2, web, { macs: [parseMac('52:54:00:00:00:77'), shared!] });
    await assert.rejects(
      client.put('vsis', twin),
      status(409, /52:54:00:00:00:01 is VSI .*01's \(vm1\)/, 'macs'),
    );
    await client.put('vsis', { ...twin, profile: keyOf(other) });
    await assert.rejects(client.put('vsis', twin), status(409, /is VSI/, 'macs'));
    await assert.rejects(
      client.put('profiles', { ...other, vlan: web.vlan }),
      status(409, /52:54:00:00:00:01 is VSI .*01's \(vm1\)/, 'vlan'),
    );
    await client.put('vsis', vsi(1, web, { macs: [parseMac('52:54:00:00:00:99')] }));
    await client.put('profiles', { ...other, vlan: web.vlan });
    await assert.rejects(client.put('vsis', vsi(1, web)), status(409, /is VSI .*02's \(vm2\)/, 'macs'));
    await client.delete('vsis', vsiIdOf(2));
    await client.put('vsis', vsi(1, web));
  });

  it('keep an address to one VSI in each VLAN of a trunk', async () => {
    await using run = await running();
    const { client } = run;
    await seed(client);
    const [shared] = vsi(1, web).macs;
    const trunk = profile(19, { vlan: parseVid(30), trunk: [web.vlan] });
    await client.put('profiles', trunk);
    const twin = vsi(2, trunk, { macs: [shared!] });
    await assert.rejects(
      client.put('vsis', twin),
      status(409, /01 is VSI .*01's \(vm1\) in VLAN 10/, 'macs'),
    );
    await client.put('profiles', { ...trunk, trunk: [parseVid(31)] });
    await client.put('vsis', twin);
    await assert.rejects(client.put('profiles', trunk), status(409, /\(vm1\) in VLAN 10/, 'trunk'));
    await assert.rejects(
      client.put('profiles', { ...web, trunk: [parseVid(31)] }),
      status(409, /\(vm2\) in VLAN 31/, 'trunk'),
    );
  });

  it('guard the addresses only of VSIs that have some', async () => {
    await using run = await running();
    const { client } = run;
    await seed(client);
    const guarded = { ...web, guards: { ...unguarded, address: true } };
    await assert.rejects(
      client.put('profiles', guarded),
      status(409, /is on, and VSI 4a1b.*01 \(vm1\) of profile dc1\/17\/1 has no IP/, 'guards.address'),
    );
    const addressed = vsi(1, web, { ips: ['10.0.0.1', '2001:db8::1'] });
    assert.deepEqual((await client.put('vsis', addressed)).value, { ...addressed, status: null });
    await client.put('profiles', guarded);
    await assert.rejects(
      client.put('vsis', vsi(1, web, { ips: [] })),
      status(409, /has no address, and profile dc1\/17\/1 guards addresses/, 'ips'),
    );
    await assert.rejects(client.put('vsis', vsi(2, web)), status(409, /guards addresses/, 'ips'));
    await client.put('profiles', { ...guarded, name: 'renamed' });
  });

  it('give a tenant its totals', async () => {
    await using run = await running();
    const { client } = run;
    const limited = { ...acme, rate: { 'to-vm': { max: 1_000_000, burst: 20_000 } }, guaranteed: 500_000 };
    assert.deepEqual((await client.put('tenants', limited)).value, limited);
    assert.deepEqual((await client.get('tenants', 'acme'))?.value, limited);
  });

  it('give an address to one of many VSIs that want it at once', async () => {
    await using run = await running();
    const { client } = run;
    await seed(client);
    const macs = [parseMac('52:54:00:00:00:aa')];
    const results = await Promise.allSettled(
      Array.from({ length: 10 }, (_, i) => client.put('vsis', vsi(10 + i, web, { macs }))),
    );
    assert.equal(results.filter((result) => result.status === 'fulfilled').length, 1);
  });

  it('have a status that bridges write and the administrator does not', async () => {
    await using run = await running();
    const { client } = run;
    await seed(client);
    const placed: VsiStatus = { association: 'associated', bridge: 'sw', port: 'p1', station: 'h1', at: 5 };
    await client.putStatus(vsiIdOf(1), placed);
    const edited = { ...vsi(1, web), name: 'renamed', status: null };
    await client.put('vsis', edited);
    assert.deepEqual((await client.get('vsis', vsiIdOf(1)))?.value, { ...edited, status: placed });
    await client.putStatus(vsiIdOf(1), { ...placed, association: 'none', at: 6 });
    assert.equal((await client.get('vsis', vsiIdOf(1)))?.value.status, null);
    await assert.rejects(client.putStatus(vsiIdOf(2), placed), status(404, /there is no vsi 4a1b/));
  });

  it('take what a bridge says of itself, details and all', async () => {
    await using run = await running();
    const { client } = run;
    const bridge = {
      name: 'sw',
      at: 1,
      ports: [{ name: 'p1', kind: 'station', evb: { rte: 20 }, neighbour: null, counters: { framesIn: 3 } }],
    } as const;
    await client.put('bridges', bridge);
    assert.deepEqual((await client.get('bridges', 'sw'))?.value, bridge);
  });
});

function status(code: number, message: RegExp, field?: string) {
  return (error: ApiError) => {
    assert.match(error.message, message);
    assert.doesNotMatch(error.message, /\n/);
    assert.equal(error.status, code);
    assert.equal(error.field, field);
    return true;
  };
}

describe("a tenant's VLANs", () => {
  const vlans = (...texts: (number | string)[]) => texts.map(parseVlanRange);

  it('are all that its profiles may have', async () => {
    await using run = await running();
    const { client } = run;
    await client.put('tenants', { ...acme, vlans: vlans(10, '20-29') });
    await client.put('profiles', profile(1, { trunk: [parseVid(20), parseVid(29)] }));
    await assert.rejects(client.put('profiles', profile(2, { vlan: parseVid(30) })), {
      status: 409,
      message: "vlan: VLAN 30 is not tenant acme's; one of its own (10, 20-29) would be right",
    });
    await assert.rejects(client.put('profiles', profile(2, { trunk: [parseVid(19)] })), { field: 'trunk' });
    await assert.rejects(client.put('tenants', { ...acme, vlans: vlans('20-28') }), {
      status: 409,
      message:
        "vlans: leaves out what the tenant's profiles have: dc1/1/1 (VLAN 10, 29); to move those first, or to name their VLANs, would be right",
    });
    await client.put('tenants', { ...acme, vlans: vlans('1-4094') });
    await client.put('profiles', profile(2, { vlan: parseVid(30) }));
    await client.put('tenants', acme);
    assert.deepEqual((await client.get('tenants', 'acme'))?.value, acme, 'absent: any');
  });

  it('are refused where they are none', () => {
    for (const text of ['30-20', '0', '4095', 'x', '1-2-3'])
      assert.throws(() => parseVlanRange(text), Invalid);
  });
});
