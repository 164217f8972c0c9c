import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bridgeConfig } from '../../../src/bridge/config/config.ts';
import { portChanges, refuseWhatIsFixed } from '../../../src/bridge/config/reload.ts';
import { standalone } from '../../../src/bridge/knowledge/standalone.ts';
import { parseVid } from '../../../src/domain/vid.ts';
import { RelayError } from '../../../src/relay/contract/relay.ts';
import { profile, TestNetwork, web1 } from '../../kit/bridge/network.ts';

const network1 = { kind: 'network', nativeVlan: parseVid(100), vlans: [] } as const;

test('a station port that is taken away lets go of its VSIs, and the others are not touched', async () => {
  const network = new TestNetwork();
  await network.happens('p1', 'started');
  const held = network.relay.held().vsis.get(web1.vsiId);
  network.configure({ station: ['p1'], others: { n1: network1 } });
  assert.deepEqual(network.relay.held().vsis.get(web1.vsiId), held);
  assert.deepEqual([...network.relay.held().ports.keys()].sort(), ['n1', 'p1']);
  assert.deepEqual([...network.bridge.portKinds.keys()].sort(), ['n1', 'p1']);
  network.configure({ station: ['p2'], others: { n1: network1 } });
  assert.equal(network.relay.held().vsis.size, 0);
  assert.deepEqual([...network.relay.held().ports.keys()].sort(), ['n1', 'p2']);
});

test('a port that is added serves its station, also one that was there before, or was of another kind', async () => {
  const network = new TestNetwork();
  network.configure({ station: ['p1'], others: { n1: network1 } });
  network.configure({
    station: ['p1'],
    others: { n1: network1, p2: { kind: 'network', nativeVlan: null, vlans: [] } },
  });
  assert.equal(network.relay.held().ports.get('p2')?.kind, 'network');
  network.configure({ station: ['p1', 'p2'], others: { n1: network1 } });
  network.bridge.linkChanged('p2', 'up');
  network.pass(40_000);
  assert.deepEqual(await network.happens('p2', 'started'), { granted: true });
  assert.equal(network.speaks('p2'), true);
});

test('what the data plane refuses is said, and nothing was changed', async () => {
  const network = new TestNetwork();
  await network.happens('p1', 'started');
  const before = network.relay.held();
  network.relay.objects = ({ ports }) => (ports.has('n2') ? 'n2: in use by another program' : null);
  assert.throws(
    () => network.configure({ station: ['p2'], others: { n1: network1, n2: network1 } }),
    new RelayError('n2: in use by another program'),
  );
  assert.deepEqual(network.relay.held(), before);
  assert.deepEqual([...network.bridge.portKinds.keys()].sort(), ['n1', 'p1', 'p2']);
  network.pass(60_000);
  assert.equal(network.speaks('p1'), true, 'its station is still answered');
});

test('a VLAN, a hold or a shaper that changes is in force at once, and no association ends', async () => {
  const network = new TestNetwork();
  await network.happens('p1', 'started');
  network.configure({
    station: ['p1', 'p2'],
    others: { n1: { ...network1, nativeVlan: parseVid(200) } },
    hold: { linkUp: 0, linkDown: 0 },
  });
  assert.deepEqual(network.hears(), [], 'the network port has VLAN 200 only');
  assert.equal(network.relay.held().vsis.size, 1);
  network.listening = false;
  network.pass(60_000);
  assert.equal(network.relay.held().vsis.size, 0, 'released by the standard now');
});

test('what the file itself says of tenants, profiles and VSIs is in force when it is read again', async () => {
  const network = new TestNetwork();
  await network.happens('p1', 'started');
  const source = standalone({ profiles: [profile], vsis: [] });
  source.follow(network.bridge, network.relay);
  source.reload!({ profiles: [{ ...profile, vlan: parseVid(200) }], vsis: [] });
  assert.equal(network.relay.held().vsis.get(web1.vsiId)?.policy.vlan, 200);
});

const config = (more: object = {}) =>
  bridgeConfig.parse({
    name: 'sw',
    manager: 'unix:/run/m.sock',
    stateDirectory: '/var/lib/sw',
    ports: { p1: { kind: 'station' }, n1: { kind: 'network' } },
    ...more,
  });

test('what cannot change while the agent runs is named, and refused', () => {
  for (const [more, named] of [
    [{ name: 'other' }, /^name: cannot change while the agent runs; a restart would be right$/],
    [{ stateDirectory: '/var/lib/x', control: '/run/x.sock' }, /^stateDirectory, control: cannot change/],
    [{ manager: 'unix:/run/x.sock' }, /^manager: /],
    [{ limits: { vsisPerPort: 3 } }, /^limits: /],
    [{ manager: undefined, profiles: [], vsis: [] }, /^manager: /],
  ] as const)
    assert.throws(() => refuseWhatIsFixed(config(), config(more)), { name: 'Invalid', message: named });
  refuseWhatIsFixed(
    config(),
    config({ ageingTime: 600, ports: { p1: { kind: 'station', hold: 'release' } } }),
  );
});

test('ports are told apart by what they are: added, removed, changed', () => {
  const after = config({
    ports: { p1: { kind: 'network' }, n1: { kind: 'network', nativeVlan: 7 }, p3: { kind: 'station' } },
  });
  const { removed, added, changed } = portChanges(config().ports, after.ports);
  assert.deepEqual([removed, [...added.keys()], changed], [['p1'], ['p1', 'p3'], ['n1']]);
});
