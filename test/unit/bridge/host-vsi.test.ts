import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hostVsi, hostVsiId } from '../../../src/bridge/core/host-vsi.ts';
import { shown } from '../../../src/bridge/control/show.ts';
import { VmNames } from '../../../src/bridge/control/vm-names.ts';
import { bridgeText } from '../../../src/cli/bridge/show.ts';
import { macFromBytes, parseMac } from '../../../src/domain/mac-address.ts';
import { parseVid } from '../../../src/domain/vid.ts';
import { n1, TestNetwork, web1 } from '../../kit/bridge/network.ts';

const mac = parseMac('52:54:00:00:00:77');
const host = { macs: [mac], vlan: parseVid(100), tagged: false };
const id = hostVsiId(host);

test("a host's own traffic passes from the start, whatever its station says, and is shown", async () => {
  const network = new TestNetwork(undefined, undefined, { n1 }, { p1: host });
  const { places } = network.relay.held().vsis.get(id)!;
  assert.deepEqual(places, hostVsi(host, 'p1').places);
  await network.happens('p1', 'started');
  await network.happens('p1', 'gone');
  network.bridge.linkChanged('p1', 'down');
  network.pass(600_000);
  network.bridge.linkChanged('p1', 'up');
  assert.deepEqual(network.relay.held().vsis.get(id)!.places, places);
  const names = new VmNames(network.bridge, network.directory);
  const bridge = shown('sw', network.bridge, network.relay, names, () => undefined, 0);
  assert.deepEqual(
    bridge.hosts.map(({ vsiId, port, macs, vlan }) => ({ vsiId, port, macs, vlan })),
    [{ vsiId: id, port: 'p1', macs: [mac], vlan: 100 }],
  );
  assert.match(bridgeText(bridge), /^HOST AT .*\np1 +52:54:00:00:00:77 +100 +0 /m);
  assert.equal(names.of(id), 'host at p1');
  assert.ok(!network.bridge.entries.has(id));
});

test("a VSI with a host's address is refused, and let go of after a restart", async () => {
  const network = new TestNetwork();
  await network.happens('p1', 'started');
  assert.ok(network.speaks('p1'));
  network.hosts = { p2: { ...host, macs: web1.macs } };
  network.restartBridge();
  assert.ok(!network.speaks('p1'));
  assert.deepEqual([...network.relay.held().vsis.keys()], [hostVsiId(network.hosts.p2!)]);
  assert.ok(network.logged.some((line) => line.includes("52:54:00:00:00:0a is a host's own address now")));
  network.pass(3000);
  const outcome = await network.happens('p1', 'started');
  assert.match(JSON.stringify(outcome), /a host's own; another one would be right|refused/);
  network.hosts = {};
  network.restartBridge();
  assert.deepEqual([...network.relay.held().vsis.keys()], []);
});

test('a network port that takes over is told of hosts as well', () => {
  const network = new TestNetwork(undefined, undefined, { n1, n2: { ...n1 } }, { p1: host });
  network.bridge.linkChanged('n1', 'down');
  assert.deepEqual(
    network.relay.announced.map(({ port, frame }) => `${port} ${macFromBytes(frame, 6)}`),
    [`n2 ${mac}`],
  );
});
