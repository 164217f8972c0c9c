import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bridgeText } from '../../../src/cli/bridge/show.ts';
import { shown } from '../../../src/bridge/control/show.ts';
import { bridgeStatus } from '../../../src/bridge/knowledge/status.ts';
import { VmNames } from '../../../src/bridge/control/vm-names.ts';
import { nearestBridge } from '../../../src/protocol/ethernet.ts';
import { Peer } from '../../kit/protocol/peer.ts';
import { outside, TestNetwork, web1 } from '../../kit/bridge/network.ts';

const show = ({ bridge, relay, directory, time }: TestNetwork) =>
  shown('sw', bridge, relay, new VmNames(bridge, directory), () => 1500, time.now());

test('a bridge shows where each VSI is, in VDP and in the data plane, in the middle of a migration', async () => {
  const network = new TestNetwork();
  await network.happens('p1', 'started');
  await network.happens('p2', 'incoming');
  const places = () =>
    show(network).ports.flatMap(({ name, station }) =>
      (station?.vsis ?? []).map(({ association, place }) => `${name} ${association} ${place}`),
    );
  const armed = 'p2 pre-associated with resource reservation armed';
  assert.deepEqual(places(), ['p1 associated active', armed]);
  await network.happens('p2', 'resumed');
  assert.deepEqual(places(), ['p1 associated released', 'p2 associated active']);
});

test('what people read has the ports in order, seconds, the last refusal and what the data plane refuses', async () => {
  const network = new TestNetwork();
  await network.happens('p1', 'started');
  network.directory.grants.set(web1.vsiId, { ...web1, hosts: ['h1'] });
  await network.happens('p2', 'started');
  network.pass(2000);
  network.relay.refusal = 'out of order';
  await network.happens('p1', 'gone');
  const text = bridgeText(show(network));
  assert.deepEqual(text.match(/^\w+ {2}\w+ port.*$/gm), [
    'n1  network port, link up, MTU 1500',
    'p1  station port, link up, MTU 1500',
    'p2  station port, link up, MTU 1500',
  ]);
  assert.match(text, /^bridge sw, whose data plane refuses VSI \S+ released at p1: out of order$/m);
  assert.match(text, /^ {2}timers {6}0\.00256 s acknowledgement, 3 repeats; 10\.49 s resource wait/m);
  assert.match(
    text,
    /^ {2}refused {5}1 s ago: associate of \S+: other failure: VSI \S+ may not appear at station h2; h\d would be right$/m,
  );
  assert.match(text, /^ {2}neighbour {3}h1, port up0, 02:00:00:00:02:01$/m);
});

test('of many filter entries people see the first', async () => {
  const network = new TestNetwork();
  await network.happens('p1', 'started');
  const bridge = show(network);
  const [vsi] = bridge.ports.find(({ name }) => name === 'p1')!.station!.vsis;
  const line = (count: number) => {
    const entries = Array.from({ length: count }, () => vsi!.filter.entries[0]!);
    const ports = bridge.ports.map((port) => ({
      ...port,
      ...(port.station
        ? { station: { ...port.station, vsis: [{ ...vsi!, filter: { ...vsi!.filter, entries } }] } }
        : {}),
    }));
    return bridgeText({ ...bridge, ports }).match(/dc1\/17\/1 {2}(.*)$/m)?.[1];
  };
  const one = '52:54:00:00:00:0a vid 0';
  assert.equal(line(1), one);
  assert.equal(line(60), `${one}, ${one}, 58 more`);
});

test('who else speaks at a port is shown, and told to the manager', () => {
  const network = new TestNetwork();
  const linesAt = (port: string) => {
    const bridge = show(network);
    return bridgeText({ ...bridge, ports: bridge.ports.filter(({ name }) => name === port) });
  };
  const nearest = new Peer(outside).lldp(null, 121, 'tor1', { destination: nearestBridge });
  network.bridge.receive('p2', nearest);
  network.secondStation('p1');
  network.pass(5_000);
  assert.match(linesAt('p2'), /\n {2}nearest bridge {2}tor1, port eth0, 02:00:00:00:00:99\n/);
  assert.match(linesAt('p1'), /^bridge sw\n\np1 {2}station port, link down, MTU 1500\n/);
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
