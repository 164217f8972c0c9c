import assert from 'node:assert/strict';
import { test } from 'node:test';
import { standalone } from '../../../src/bridge/knowledge/standalone.ts';
import { parseMac } from '../../../src/domain/mac-address.ts';
import { profile, TestNetwork, web1 } from '../../kit/bridge/network.ts';

const hosts = (...hosts: string[]) => ({ ...web1, hosts });

/** A bridge with web1 at h1, which alone may have it. */
async function running(): Promise<TestNetwork> {
  const network = new TestNetwork();
  network.directory.grants.set(web1.vsiId, hosts('h1'));
  await network.happens('p1', 'started');
  return network;
}

function change(network: TestNetwork, ...names: string[]): void {
  network.directory.grants.set(web1.vsiId, hosts(...names));
  network.bridge.withdrawn({ vsiId: web1.vsiId });
}

test('a change of the hosts costs a VM nothing while its station is silent, be it that the agent was restarted', async () => {
  for (const silence of [
    (network: TestNetwork) => network.restartBridge(),
    (network: TestNetwork) => network.restartBridge({ forgets: true }),
    (network: TestNetwork) => network.bridge.linkChanged('p1', 'down'),
    (network: TestNetwork) => network.stations.p1.stop(),
  ]) {
    const network = await running();
    silence(network);
    change(network, 'h1', 'h2');
    network.pass(100);
    assert.equal(network.speaks('p1'), true, silence.toString());
  }
});

test('a station that may not have a VM any more loses it when it is known which one it is', async () => {
  const known = await running();
  known.restartBridge();
  change(known, 'h2');
  assert.equal(known.speaks('p1'), false, 'it was met before');
  const unknown = await running();
  unknown.restartBridge({ forgets: true });
  change(unknown, 'h2');
  assert.equal(unknown.speaks('p1'), true);
  unknown.pass(40_000);
  assert.equal(unknown.speaks('p1'), false, 'it has said who it is');
});

test('a station that is met costs its VMs nothing while nobody knows what they are granted', async () => {
  const network = await running();
  network.directory.hasCopy = false;
  network.restartBridge({ forgets: true });
  network.pass(40_000);
  assert.equal(network.speaks('p1'), true);
});

test('an announcement moves no VM that has its hosts to where none was met', async () => {
  const network = await running();
  network.directory.garp = true;
  network.stations.p2.stop();
  network.pass(1000);
  network.restartBridge({ forgets: true });
  change(network, 'h1', 'h2');
  network.announces('p2');
  await network.happens('p1', 'stopped');
  assert.deepEqual(network.hears(), ['p1']);
  assert.match(network.logged.at(-1)!, /may not appear at station \(unnamed\); h1 or h2 would be right$/);
});

test('what was taken away while the agent was away ends when all that is granted is known', async () => {
  for (const now of [
    undefined,
    { ...web1, macs: [parseMac('52:54:00:00:00:0d')] },
    { ...web1, profile: 'dc1/18/1' as never },
    hosts('h2'),
  ]) {
    const network = await running();
    network.restartBridge();
    network.directory.grants.clear();
    if (now) network.directory.grants.set(web1.vsiId, now);
    assert.equal(network.speaks('p1'), true);
    network.bridge.listed();
    assert.equal(network.speaks('p1'), false);
  }
  const network = await running();
  network.restartBridge();
  network.bridge.listed();
  assert.equal(network.speaks('p1'), true);
});

test('so it is where the file says it', async () => {
  const network = await running();
  network.restartBridge();
  change(network, 'h1');
  network.directory.grants.set(web1.vsiId, hosts('h2'));
  standalone({ profiles: [profile] }).follow(network.bridge, network.relay);
  assert.equal(network.speaks('p1'), false);
});
