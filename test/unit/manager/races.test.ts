import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import type { CollectionName } from '../../../src/api/collections.ts';
import { parseMac } from '../../../src/domain/mac-address.ts';
import { unguarded } from '../../../src/domain/port-profile.ts';
import { profileKey } from '../../../src/domain/profile-ref.ts';
import { parseVid } from '../../../src/domain/vid.ts';
import { addressKey, collectionPrefix } from '../../../src/manager/objects/keys.ts';
import { takeReport } from '../../../src/manager/migration/migrations.ts';
import { deleteObject, putObject, putStatus } from '../../../src/manager/objects/objects.ts';
import { Refusal } from '../../../src/manager/objects/refusal.ts';
import { objectOf } from '../../../src/manager/objects/rules.ts';
import { openSqlite } from '../../../src/store/sqlite/sqlite.ts';
import type { Store } from '../../../src/store/store.ts';
import { profile, tenant, vsi, vsiIdOf } from '../../kit/manager/support.ts';

const tenantName = fc.constantFrom('red', 'red', 'blue');
const type = fc.integer({ min: 1, max: 3 });
const number = fc.integer({ min: 1, max: 3 });
const macs = fc.uniqueArray(fc.constantFrom('52:54:00:00:00:01', '52:54:00:00:00:02').map(parseMac), {
  minLength: 1,
});

/** One writer's request. */
type Request = (store: Store) => Promise<unknown>;
const request: fc.Arbitrary<Request> = fc.oneof(
  tenantName.map(
    (name): Request =>
      (store) =>
        putObject(store, 'tenants', tenant(name), undefined),
  ),
  tenantName.map(
    (name): Request =>
      (store) =>
        deleteObject(store, 'tenants', name, undefined),
  ),
  fc.tuple(type, tenantName, fc.constantFrom([10], [11], [10, 11], [12, 10]), fc.boolean()).map(
    ([typeId, tenant, [vlan, ...trunk], address]): Request =>
      (store) =>
        putObject(
          store,
          'profiles',
          profile(typeId, {
            tenant,
            vlan: parseVid(vlan),
            trunk: trunk.map(parseVid),
            guards: { ...unguarded, address },
          }),
          undefined,
        ),
  ),
  type.map(
    (typeId): Request =>
      (store) =>
        deleteObject(store, 'profiles', `dc1/${typeId}/1`, undefined),
  ),
  fc.tuple(number, type, tenantName, macs, fc.constantFrom({}, { ips: [] }, { ips: ['10.0.0.1'] })).map(
    ([id, typeId, tenant, macs, ips]): Request =>
      (store) =>
        putObject(store, 'vsis', vsi(id, profile(typeId), { tenant, macs, ...ips }), undefined),
  ),
  number.map(
    (id): Request =>
      (store) =>
        deleteObject(store, 'vsis', vsiIdOf(id), undefined),
  ),
  fc.tuple(number, fc.nat(9)).map(
    ([id, at]): Request =>
      (store) =>
        putStatus(store, vsiIdOf(id), {
          association: 'associated',
          bridge: 'sw',
          port: 'p1',
          station: null,
          at,
        }),
  ),
  fc.tuple(number, fc.constantFrom('announce' as const, 'active' as const, 'abort' as const), fc.nat(9)).map(
    ([id, moment, at]): Request =>
      (store) =>
        takeReport(store, 2, { report: { vsiId: vsiIdOf(id), moment, at, by: 'test' }, offset: null }),
  ),
);

/** Two VSIs with one address, in two VLANs, so that a change of either may clash with the other; and a tenant and a profile that nobody uses. */
async function furnish(store: Store): Promise<void> {
  await putObject(store, 'tenants', tenant('red'), undefined);
  await putObject(store, 'tenants', tenant('blue'), undefined);
  await putObject(store, 'profiles', profile(3, { tenant: 'red' }), undefined);
  for (const number of [1, 2]) {
    const its = profile(number, { tenant: 'red', vlan: parseVid(9 + number) });
    await putObject(store, 'profiles', its, undefined);
    await putObject(store, 'vsis', vsi(number, its, { macs: [parseMac('52:54:00:00:00:01')] }), undefined);
  }
}

/** The store with every call delayed as the scheduler likes, so that writers overtake each other between any two. */
function raced(store: Store, scheduler: fc.Scheduler): Store {
  const later = <Args extends unknown[], T>(call: (...args: Args) => Promise<T>) => {
    const scheduled = scheduler.scheduleFunction(async (...args: Args) => ({ result: await call(...args) }));
    return async (...args: Args) => (await scheduled(...args)).result;
  };
  return {
    ...store,
    get: later((key) => store.get(key)),
    list: later((prefix) => store.list(prefix)),
    transact: later((conditions, operations) => store.transact(conditions, operations)),
  };
}

async function objects<Name extends CollectionName>(store: Store, name: Name) {
  return (await store.list(collectionPrefix(name))).entries.map((entry) => objectOf(name, entry));
}

async function checkRules(store: Store): Promise<void> {
  const tenants = new Set((await objects(store, 'tenants')).map(({ name }) => name));
  const profiles = new Map((await objects(store, 'profiles')).map((each) => [profileKey(each.ref), each]));
  const vsis = await objects(store, 'vsis');
  for (const each of profiles.values()) assert(tenants.has(each.tenant), 'a profile without its tenant');
  const taken = new Set<string>();
  const holders = new Map<string, string[]>();
  for (const each of vsis) {
    const its = profiles.get(each.profile);
    assert(its, 'a VSI without its profile');
    assert.equal(each.tenant, its.tenant, "a VSI on another tenant's profile");
    assert(!its.guards.address || each.ips?.length, 'a VSI without addresses that are guarded');
    for (const mac of each.macs) {
      for (const vlan of [its.vlan, ...its.trunk]) {
        assert(!taken.has(`${vlan} ${mac}`), 'an address twice in a VLAN');
        taken.add(`${vlan} ${mac}`);
      }
      holders.set(addressKey(mac), [...(holders.get(addressKey(mac)) ?? []), each.vsiId]);
    }
  }
  const index = (await store.list('addresses/')).entries.map(
    ({ key, value }) => [key, (JSON.parse(value) as string[]).sort()] as const,
  );
  assert.deepEqual(new Map(index), new Map([...holders].map(([key, ids]) => [key, ids.sort()])));
  const migrations = await objects(store, 'migrations');
  const open = migrations.filter(({ state }) => state === 'announced').map(({ vsiId }) => vsiId);
  assert.equal(new Set(open).size, open.length, 'a VSI with two migrations on their way');
  for (const vsiId of open)
    assert(
      vsis.some((each) => each.vsiId === vsiId),
      'a migration without its VSI',
    );
}

/** All at once on a furnished store, in the scheduler's order; then everything must hold. */
async function race(scheduler: fc.Scheduler, before: readonly Request[], writers: readonly Request[]) {
  const store = openSqlite(':memory:');
  await furnish(store);
  for (const each of before) await each(store).catch(onlyRefusal);
  const racing = raced(store, scheduler);
  await scheduler.waitFor(Promise.all(writers.map((each) => each(racing).catch(onlyRefusal))));
  await checkRules(store);
  await store.close();
}

const red = (typeId: number, vlan: number) => profile(typeId, { tenant: 'red', vlan: parseVid(vlan) });

/** Two writes that are right one by one, and wrong together. */
const pairs: readonly (readonly [string, Request, Request])[] = [
  [
    'a VSI comes to a profile that goes',
    (store) => putObject(store, 'vsis', vsi(3, red(3, 10)), undefined),
    (store) => deleteObject(store, 'profiles', 'dc1/3/1', undefined),
  ],
  [
    'a profile comes to a tenant that goes',
    (store) => putObject(store, 'profiles', profile(4, { tenant: 'blue' }), undefined),
    (store) => deleteObject(store, 'tenants', 'blue', undefined),
  ],
  [
    'a VSI comes to a profile that goes to another tenant',
    (store) => putObject(store, 'vsis', vsi(3, red(3, 10)), undefined),
    (store) => putObject(store, 'profiles', profile(3, { tenant: 'blue' }), undefined),
  ],
  [
    'two profiles whose VSIs share an address go to one VLAN',
    (store) => putObject(store, 'profiles', red(1, 20), undefined),
    (store) => putObject(store, 'profiles', red(2, 20), undefined),
  ],
  [
    'a profile goes to a VLAN that comes to the trunk of one whose VSI shares an address',
    (store) => putObject(store, 'profiles', red(1, 20), undefined),
    (store) => putObject(store, 'profiles', { ...red(2, 11), trunk: [parseVid(20)] }, undefined),
  ],
  [
    'a VSI without IP addresses comes to a profile that guards them from now on',
    (store) => putObject(store, 'vsis', vsi(3, red(3, 10)), undefined),
    (store) =>
      putObject(store, 'profiles', { ...red(3, 10), guards: { ...unguarded, address: true } }, undefined),
  ],
  [
    'a VSI takes an address in a VLAN that its other holder comes to',
    (store) =>
      putObject(store, 'vsis', vsi(3, red(3, 10), { macs: [parseMac('52:54:00:00:00:02')] }), undefined),
    (store) =>
      putObject(store, 'vsis', vsi(1, red(1, 10), { macs: [parseMac('52:54:00:00:00:02')] }), undefined),
  ],
  [
    'a migration is announced of a VSI that goes',
    (store) =>
      takeReport(store, 2, {
        report: { vsiId: vsiIdOf(1), moment: 'announce', at: 1, by: 'test' },
        offset: null,
      }),
    (store) => deleteObject(store, 'vsis', vsiIdOf(1), undefined),
  ],
  [
    'a migration is announced twice',
    (store) =>
      takeReport(store, 2, {
        report: { vsiId: vsiIdOf(1), moment: 'announce', at: 1, by: 'test' },
        offset: null,
      }),
    (store) =>
      takeReport(store, 2, {
        report: { vsiId: vsiIdOf(1), moment: 'announce', at: 2, by: 'other' },
        offset: null,
      }),
  ],
];

describe('what must hold between objects', () => {
  for (const [name, one, other] of pairs)
    it(`holds when ${name}`, async () => {
      await fc.assert(fc.asyncProperty(fc.scheduler(), (scheduler) => race(scheduler, [], [one, other])));
    });

  it('holds, in whatever order any concurrent writers get to the store', async () => {
    const before = fc.array(request, { maxLength: 4 });
    const writers = fc.array(request, { minLength: 2, maxLength: 6 });
    await fc.assert(fc.asyncProperty(fc.scheduler(), before, writers, race), { numRuns: 500 });
  });
});

function onlyRefusal(error: unknown): void {
  assert(error instanceof Refusal, (error as Error).stack);
  assert.notEqual(error.status, 503);
}
