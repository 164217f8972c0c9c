import assert from 'node:assert/strict';
import { test } from 'node:test';
import { addressAnnouncement, rarp } from '../../../src/bridge/core/network-frames.ts';
import { parseVid } from '../../../src/domain/vid.ts';
import { n1, profile, TestNetwork, web1 } from '../../kit/bridge/network.ts';

const mac = web1.macs[0]!;
const hex = (frame: Uint8Array) => Buffer.from(frame).toString('hex');

/** What the network was told since, with the time since the first. */
function told({ relay: { announced } }: TestNetwork): string[] {
  const words = new Map([
    [hex(rarp(mac)), 'RARP'],
    [hex(addressAnnouncement(mac, '10.0.0.1')), 'ARP'],
    [hex(addressAnnouncement(mac, '2001:db8::1')), 'NA'],
  ]);
  const start = announced[0]?.at ?? 0;
  return announced.splice(0).map(({ at, port, frame }) => `${at - start} ${port} ${words.get(hex(frame))}`);
}

test('a VM that is started is no news; one that moves is told of at the flip, and once more', async () => {
  const network = new TestNetwork();
  await network.happens('p1', 'started');
  await network.happens('p2', 'incoming');
  network.pass(1000);
  assert.deepEqual(told(network), []);
  await network.happens('p2', 'arrived');
  network.pass(1000);
  assert.deepEqual(told(network), ['0 n1 RARP', '100 n1 RARP']);
  await network.happens('p2', 'resumed');
  await network.happens('p1', 'left');
  network.pass(1000);
  assert.deepEqual(told(network), []);
});

test('its IP addresses are told where the profile says so, those that are listed as its own alone', async () => {
  const network = new TestNetwork();
  network.directory.profile = { ...profile, announce: 'addresses' };
  network.directory.grants.set(web1.vsiId, { ...web1, ips: ['10.0.0.1', '2001:db8::1'] });
  await network.happens('p1', 'started');
  await network.happens('p2', 'incoming');
  await network.happens('p2', 'arrived');
  network.pass(1000);
  assert.deepEqual(told(network), ['0 n1 RARP', '0 n1 ARP', '0 n1 NA', '100 n1 RARP']);
});

test('a network port that takes over hears of what is active in its VLANs', async () => {
  const n2 = { kind: 'network', nativeVlan: null, vlans: [parseVid(100)] } as const;
  const n3 = { kind: 'network', nativeVlan: null, vlans: [parseVid(200)] } as const;
  const network = new TestNetwork(undefined, undefined, { n1, n2, n3, n4: n3 });
  await network.happens('p1', 'started');
  network.bridge.linkChanged('n3', 'down');
  assert.deepEqual(told(network), [], 'n4 takes over what no VSI is in');
  network.bridge.linkChanged('n1', 'down');
  assert.deepEqual(
    network.relay.announced.splice(0).map(({ port, frame }) => `${port} ${frame.length}`),
    [`n2 ${rarp(mac).length + 4}`],
  );
  assert.ok(network.logged.includes('n2 is the active network port of VLAN 100 now'));
  network.bridge.linkChanged('n1', 'up');
  assert.deepEqual(told(network), [], 'who comes back takes nothing over');
  network.bridge.linkChanged('n2', 'missing');
  assert.deepEqual(told(network), ['0 n1 RARP']);
  network.bridge.linkChanged('n1', 'down');
  assert.deepEqual(told(network), [], 'where none is up, nothing moves');
});

test('a VM that moves to and fro is warned of', async () => {
  const network = new TestNetwork();
  await network.happens('p1', 'started');
  const move = async (from: 'p1' | 'p2', to: 'p1' | 'p2') => {
    await network.happens(to, 'started');
    await network.happens(from, 'gone');
  };
  const warnings = () => network.logged.filter((message) => message.includes('moved 5 times within 180 s'));
  for (let turn = 0; turn < 2; turn++) {
    await move('p1', 'p2');
    await move('p2', 'p1');
  }
  assert.equal(warnings().length, 0);
  await move('p1', 'p2');
  assert.equal(warnings().length, 1);
  assert.equal(network.bridge.announced.restless, 1);
});
