import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bridgeText } from '../../../src/cli/bridge-show.ts';
import { shown } from '../../../src/bridge/show.ts';
import { bridgeStatus } from '../../../src/bridge/status.ts';
import { nearestBridge } from '../../../src/protocol/ethernet.ts';
import { Peer } from '../protocol/peer.ts';
import { outside, TestNetwork } from './network.ts';

test('who else speaks at a port is shown, and told to the manager', () => {
  const network = new TestNetwork();
  const linesAt = (port: string) => {
    const { name, ports } = shown('sw', network.bridge, network.relay, network.time.now);
    return bridgeText({ name, ports: ports.filter(({ name }) => name === port) });
  };
  const nearest = new Peer(outside).lldp(null, 121, 'tor1', { destination: nearestBridge });
  network.bridge.receive('p2', nearest);
  network.secondStation('p1');
  network.pass(5_000);
  assert.match(linesAt('p2'), /\n {2}nearest bridge {2}tor1, port eth0, 02:00:00:00:00:99\n/);
  assert.match(linesAt('p1'), /^bridge sw\n\np1 {2}station port, link down\n/);
  assert.match(
    linesAt('p1'),
    /\n {2}2nd station 5 s ago: without a name, 02:00:00:00:00:99: the port is disabled until its link was down\n/,
  );
  const { ports } = bridgeStatus('sw', network.bridge, network.relay, 0);
  const told = Object.fromEntries(ports.map((port) => [port.name, port]));
  assert.deepEqual(told.p1?.secondStation, { mac: outside, systemName: null, portDown: true });
  const [other] = told.p2!.otherNeighbours as { chassisId: string; agent: string }[];
  assert.deepEqual([other?.chassisId, other?.agent], ['tor1', 'nearest bridge']);
});
