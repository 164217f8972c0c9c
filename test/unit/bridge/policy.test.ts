import assert from 'node:assert/strict';
import { test } from 'node:test';
import { policyFor } from '../../../src/bridge/core/admission.ts';
import { toRelay } from '../../../src/bridge/core/label.ts';
import type { FilterInfo } from '../../../src/domain/filter-info.ts';
import { parseMac } from '../../../src/domain/mac-address.ts';
import { unguarded, type PortProfile, type TenantLimits } from '../../../src/domain/port-profile.ts';
import { parseVid, type Vid } from '../../../src/domain/vid.ts';
import { profile, TestNetwork, web1 } from '../../kit/bridge/network.ts';

const limits = (max: number): TenantLimits => ({
  rate: { 'from-vm': { max, burst: 20_000 } },
  guaranteed: null,
});
const held = (network: TestNetwork) => network.relay.held().vsis.get(web1.vsiId);

test("tenants' limits are in force at once, and gone when they are taken away", () => {
  const network = new TestNetwork();
  const { bridge, relay } = network;
  bridge.tenantsChanged(
    new Map([
      ['red', limits(8000)],
      ['blue', { rate: {}, guaranteed: null }],
    ]),
  );
  assert.deepEqual(relay.held().tenants, new Map([['red', limits(8000)]]));
  const told = relay.told;
  bridge.tenantsChanged(new Map([['red', limits(8000)]]));
  assert.equal(relay.told, told, 'what is as it was is not applied again');
  network.restartBridge();
  assert.deepEqual(relay.held().tenants, new Map([['red', limits(8000)]]), 'adopted');
  network.bridge.tenantsChanged(new Map());
  assert.deepEqual(relay.held().tenants, new Map());
});

test('a tenant whose limits are refused keeps its old ones, and the others get their new ones', () => {
  const network = new TestNetwork();
  const { bridge, relay } = network;
  bridge.tenantsChanged(new Map([['red', limits(8000)]]));
  relay.objects = ({ tenants }) =>
    (tenants.get('red')?.rate['from-vm']?.max ?? 0) > 10_000 ? 'too much for red' : null;
  const wanted = new Map([
    ['red', limits(20_000)],
    ['blue', limits(30_000)],
  ]);
  bridge.tenantsChanged(wanted);
  assert.deepEqual(
    relay.held().tenants,
    new Map([
      ['red', limits(8000)],
      ['blue', limits(30_000)],
    ]),
  );
  assert.deepEqual([...bridge.refused], [['tenant red', 'too much for red']]);
  assert.ok(network.logged.includes('tenant red changed, but the data plane refused: too much for red'));
  relay.objects = () => null;
  bridge.tenantsChanged(wanted);
  assert.deepEqual(relay.held().tenants, wanted);
  assert.deepEqual([...bridge.refused], []);
});

test('ports have their shapers, and the relay its ageing time', () => {
  const { ports, ageingTime } = new TestNetwork().relay.held();
  assert.deepEqual(ports.get('p1'), { kind: 'station', reflectiveRelay: true });
  assert.deepEqual(ports.get('p2'), { kind: 'station', reflectiveRelay: true, shaper: 1_000_000_000 });
  assert.equal(ageingTime, 300);
});

test("a VSI's IP addresses come to the relay, change at once, and are adopted", async () => {
  const network = new TestNetwork();
  network.directory.grants.set(web1.vsiId, { ...web1, ips: ['10.0.0.1'] });
  await network.happens('p1', 'started');
  assert.deepEqual(held(network)?.ips, ['10.0.0.1']);
  network.bridge.ipsChanged(web1.vsiId, ['10.0.0.1', '2001:db8::1']);
  assert.deepEqual(held(network)?.ips, ['10.0.0.1', '2001:db8::1']);
  network.restartBridge();
  assert.deepEqual(network.bridge.entries.get(web1.vsiId)?.ips, ['10.0.0.1', '2001:db8::1']);
  assert.equal(network.speaks('p1'), true);
});

test('a profile that the relay cannot do is refused at admission, and half of it is never in force', async () => {
  const network = new TestNetwork();
  network.directory.profile = { ...profile, guards: { ...unguarded, control: true } };
  network.relay.capabilities.features.delete('control protocol guard');
  assert.deepEqual(await network.happens('p1', 'started'), {
    granted: false,
    reason: `VSI ${web1.vsiId}: the bridge refused: insufficient resources: the test relay has no control protocol guard`,
  });
  assert.equal(network.relay.held().vsis.size, 0);
  assert.ok(network.logged.some((line) => line.endsWith(': the test relay has no control protocol guard')));
});

test('a profile that changes to what the relay cannot do stays as it was, until it can be done', async () => {
  const network = new TestNetwork();
  await network.happens('p1', 'started');
  network.relay.capabilities.features.delete('storm control');
  const stormy: PortProfile = { ...profile, storm: { broadcast: { framesPerSecond: 1, burst: 1 } } };
  network.directory.profile = stormy;
  network.bridge.profileChanged(stormy);
  assert.deepEqual(held(network)?.policy.storm, {});
  assert.deepEqual(
    [...network.bridge.refused],
    [['profile dc1/17/1', 'the test relay has no storm control']],
  );
  assert.equal(network.speaks('p1'), true, 'what is in force stays');
  for (const [port, event] of [
    ['p2', 'incoming'],
    ['p2', 'resumed'],
    ['p1', 'left'],
  ] as const)
    assert.equal((await network.happens(port, event)).granted, true, 'and moves with the VM');
  assert.deepEqual(network.hears(), ['p2']);
  assert.deepEqual(held(network)?.policy.storm, {});
  await network.happens('p2', 'gone');
  assert.equal((await network.happens('p2', 'started')).granted, false, 'but nobody comes to it');
  network.directory.profile = profile;
  network.bridge.profileChanged(profile);
  assert.deepEqual([...network.bridge.refused], []);
});

/** A bridge that finds in its data plane a VSI whose station describes it by `filter`. */
async function adopting(filter: FilterInfo, settings: PortProfile): Promise<TestNetwork> {
  const network = new TestNetwork();
  await network.happens('p1', 'started');
  const entry = network.bridge.entries.get(web1.vsiId)!;
  const policy = policyFor(settings, filter);
  network.directory.profile = settings;
  network.relay.apply({
    ...network.relay.held(),
    vsis: new Map([[web1.vsiId, toRelay({ ...entry, policy, filter })]]),
  });
  network.restartBridge();
  return network;
}

const [mac] = web1.macs;
const trunk: PortProfile = { ...profile, trunk: [200, 300].map(parseVid) };

test('a VSI whose filter names a VLAN that the trunk loses has to ask again; others go on', async () => {
  const filter = (vid: number): FilterInfo => ({
    format: 'mac-vid',
    entries: [0, vid].map((vid) => ({ mac: mac!, vid: vid as Vid })),
  });
  for (const [vid, stays] of [
    [200, true],
    [300, false],
  ] as const) {
    const network = await adopting(filter(vid), trunk);
    assert.deepEqual(network.bridge.entries.get(web1.vsiId)?.filter, filter(vid));
    network.bridge.profileChanged({ ...trunk, trunk: [parseVid(200)] });
    assert.equal(network.speaks('p1'), stays);
    assert.deepEqual(held(network)?.policy.trunk, stays ? [200] : undefined);
  }
});

test("a changed profile leaves the station's PCP in force where it trusts it", async () => {
  const network = await adopting({ format: 'mac-vid', entries: [{ mac: mac!, vid: 0, pcp: 5 }] }, profile);
  assert.equal(held(network)?.policy.marking.defaultPcp, 5);
  network.bridge.profileChanged({ ...profile, tenant: 'blue' });
  assert.equal(held(network)?.policy.tenant, 'blue');
  assert.equal(held(network)?.policy.marking.defaultPcp, 5);
  network.bridge.profileChanged({ ...profile, marking: { dscp: 'trust', pcp: 1, defaultPcp: 0 } });
  assert.equal(held(network)?.policy.marking.defaultPcp, 0);
});

test('a VSI without addresses in its filter has those that it is granted now', async () => {
  const network = await adopting({ format: 'vid', entries: [{ vid: 0 }] }, profile);
  const macs = [mac!, parseMac('52:54:00:00:00:0d')];
  network.directory.grants.set(web1.vsiId, { ...web1, macs });
  network.bridge.withdrawn({ vsiId: web1.vsiId });
  assert.deepEqual(held(network)?.addresses, macs);
  network.directory.grants.set(web1.vsiId, { ...web1, macs: [macs[1]!] });
  network.bridge.withdrawn({ vsiId: web1.vsiId });
  assert.equal(network.speaks('p1'), false, 'it has the address no more');
});
