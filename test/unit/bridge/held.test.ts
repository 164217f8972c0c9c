import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bridgeConfig, holdOf } from '../../../src/bridge/config/config.ts';
import { Whereabouts } from '../../../src/bridge/knowledge/status.ts';
import { noHold } from '../../../src/protocol/vdp/hold.ts';
import { TestNetwork, web1 } from '../../kit/bridge/network.ts';

test('a VM goes on when its station is heard no more: its VSI is held, and shown as held', async () => {
  const network = new TestNetwork();
  await network.happens('p1', 'started');
  network.listening = false;
  network.pass(600_000);
  assert.equal(network.speaks('p1'), true);
  assert.deepEqual(network.hears(), ['p1']);
  const status = new Whereabouts('sw').of(web1.vsiId, network.bridge, network.time.now() * 1000);
  assert.equal(status?.association, 'associated');
  assert.ok(status?.held !== undefined);
  const ago = network.time.now() * 1000 - status.held;
  assert.ok(ago > 500e6 && ago < 600e6, `held for ${ago} µs`);
  assert.ok(network.logged.some((line) => /is held: its station keeps it alive no more/.test(line)));
});

test('when its station is heard again it is kept alive as before, without a gap', async () => {
  const network = new TestNetwork();
  await network.happens('p1', 'started');
  network.listening = false;
  network.pass(600_000);
  network.listening = true;
  for (let i = 0; i < 60; i++) {
    network.pass(1000);
    assert.equal(network.speaks('p1'), true);
  }
  const status = new Whereabouts('sw').of(web1.vsiId, network.bridge, network.time.now() * 1000);
  assert.deepEqual([status?.association, status?.held], ['associated', undefined]);
});

test('a VSI that is held moves when another station associates it, and its old port lets go of it', async () => {
  const network = new TestNetwork();
  await network.happens('p1', 'started');
  network.stations.p1.linkChanged(false); // it says nothing any more, as if it were dead
  network.pass(300_000);
  assert.equal(network.speaks('p1'), true);
  await network.happens('p2', 'incoming');
  await network.happens('p2', 'resumed');
  assert.deepEqual(network.hears(), ['p2']);
  network.pass(100); // its last frames at the old port
  assert.deepEqual([network.speaks('p1'), network.speaks('p2')], [false, true]);
  network.pass(60_000);
  assert.deepEqual([...network.bridge.entries.get(web1.vsiId)!.attachments.keys()], ['p2']);
  assert.equal(network.moments().at(-1), 'release');
});

test("the manager's word that the VM is gone ends it", async () => {
  const network = new TestNetwork();
  await network.happens('p1', 'started');
  network.listening = false;
  network.pass(300_000);
  network.directory.grants.clear();
  network.bridge.withdrawn({ vsiId: web1.vsiId });
  assert.equal(network.speaks('p1'), false);
  assert.equal(network.relay.held().vsis.size, 0);
});

test('with hold: release it ends by the standard', async () => {
  const network = new TestNetwork(undefined, noHold);
  await network.happens('p1', 'started');
  network.listening = false;
  network.pass(60_000);
  assert.equal(network.speaks('p1'), false);
});

test('a port holds for ever, for a time or not at all', () => {
  const port = (more: object) => {
    const { ports } = bridgeConfig.parse({
      name: 'sw',
      manager: 'unix:/run/m.sock',
      stateDirectory: '/var/lib/sw',
      ports: { p1: { kind: 'station', ...more } },
    });
    return ports.p1!.kind === 'station' ? holdOf(ports.p1!.hold) : null;
  };
  assert.deepEqual(port({}), { linkUp: Infinity, linkDown: 60_000 });
  assert.deepEqual(port({ hold: 90 }), { linkUp: 90_000, linkDown: 90_000 });
  assert.deepEqual(port({ hold: 'release' }), { linkUp: 0, linkDown: 0 });
  for (const hold of [0, -1, 1.5, 'never', 1_000_001]) assert.throws(() => port({ hold }));
});
