import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bridgeStatus } from '../../../src/bridge/knowledge/status.ts';
import { n1, profile, TestNetwork } from '../../kit/bridge/network.ts';

test('a mirror to a session that no port carries is said once, shown, and told to the manager', async () => {
  const mirror = { session: 'tap', direction: 'both' } as const;
  const network = new TestNetwork();
  network.directory.profile = { ...profile, mirror };
  await network.happens('p1', 'started');
  await network.happens('p2', 'incoming');
  const said = () => network.logged.filter((line) => line.startsWith('mirror of profile'));
  const words = 'no port of this bridge carries session tap; nothing is copied';
  assert.deepEqual(said(), [`mirror of profile dc1/17/1: ${words}`]);
  const refused = [{ what: 'mirror of profile dc1/17/1', reason: words }];
  assert.deepEqual(bridgeStatus('sw', network.bridge, network.relay, 0).refused, refused);
  network.bridge.profileChanged(profile);
  assert.equal(network.bridge.refused.size, 0);
  network.bridge.profileChanged({ ...profile, mirror });
  assert.equal(said().length, 2, 'it is news again');
});

test('one to a session that a port carries is no news', async () => {
  const network = new TestNetwork(undefined, undefined, { n1, m1: { kind: 'mirror', session: 'tap' } });
  network.directory.profile = { ...profile, mirror: { session: 'tap', direction: 'both' } };
  await network.happens('p1', 'started');
  assert.equal(network.bridge.refused.size, 0);
  assert.ok(!network.logged.some((line) => line.startsWith('mirror of profile')));
});
