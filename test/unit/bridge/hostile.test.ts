import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Enquiries, TooManyEnquiries } from '../../../src/bridge/core/enquiries.ts';
import { RequestLog } from '../../../src/bridge/core/request-log.ts';
import type { Entitlement } from '../../../src/bridge/core/directory.ts';
import { parseProfileKey } from '../../../src/domain/profile-ref.ts';
import { nullVid } from '../../../src/domain/vid.ts';
import { parseVsiId } from '../../../src/domain/vsi-id.ts';
import { profile, TestDirectory, TestNetwork, web1 } from '../../kit/bridge/network.ts';
import { peerMacs, Peers, withMac } from '../../kit/bridge/peers.ts';

const other = parseProfileKey('dc1/18/1');
const unknown = (n: number) =>
  parseVsiId(`a0000000-0000-4000-8000-00000000${n.toString(16).padStart(4, '0')}`);

/** A directory whose manager takes its time. */
function slowDirectory() {
  const directory = new TestDirectory();
  directory.hasCopy = false;
  const { promise, resolve } = Promise.withResolvers<void>();
  directory.answer = promise;
  return { directory, answer: resolve };
}

async function turns(): Promise<void> {
  for (let turn = 0; turn < 10; turn++) await Promise.resolve();
}

test('of a VSI at a port the manager is asked one thing at a time, and the newest is answered', async () => {
  const { directory, answer } = slowDirectory();
  const enquiries = new Enquiries(directory, 2);
  const told: (number | Entitlement | string)[] = [];
  for (let i = 0; i < 1001; i++)
    enquiries.make('p1', {
      vsiId: web1.vsiId,
      profile: i % 2 ? other : profile.ref,
      answered: () => told.push(i),
      failed: ({ message }) => told.push(message),
    });
  assert.equal(directory.fetched.length, 1);
  enquiries.make('p1', {
    vsiId: web1.vsiId,
    profile: other,
    answered: () => told.push('last'),
    failed: ({ message }) => told.push(message),
  });
  answer();
  await turns();
  assert.deepEqual(told, ['last']);
  assert.deepEqual(directory.fetched, [`${web1.vsiId} dc1/17/1`, `${web1.vsiId} dc1/18/1`]);
});

test('of so many VSIs at a port and no more the manager is asked at a time', async () => {
  const { directory, answer } = slowDirectory();
  const enquiries = new Enquiries(directory, 2);
  const told: string[] = [];
  const ask = (port: string, n: number) =>
    enquiries.make(port, {
      vsiId: unknown(n),
      profile: profile.ref,
      answered: () => told.push(`${port} ${n}`),
      failed: (error) => told.push(`${port} ${n} ${error instanceof TooManyEnquiries}`),
    });
  for (const n of [1, 2, 3]) ask('p1', n);
  ask('p2', 3);
  answer();
  await turns();
  ask('p1', 3);
  await turns();
  assert.deepEqual(told, ['p1 3 true', 'p1 1', 'p1 2', 'p2 3', 'p1 3']);
});

test('a station that asks for ever new VSIs while the manager is slow is refused, and what it holds stays', async () => {
  const peers = new Peers();
  const { network } = peers;
  peers.ask('p1', 'associate');
  const { directory, answer } = slowDirectory();
  Object.assign(network.directory, { hasCopy: false, answer: directory.answer });
  for (let n = 1; n <= 17; n++)
    for (const mode of ['associate', 'de-associate'] as const) peers.ask('p1', mode, { vsiId: unknown(n) });
  assert.equal(network.directory.fetched.length, 16);
  const refused = `VSI ${unknown(17)} associate at p1: refused, insufficient resources: 16 VSIs at the port wait for the manager already`;
  assert.ok(network.logged.includes(refused));
  peers.ask('p1', 'pre-associate', { filter: withMac(web1.macs[0]!) });
  assert.equal(network.speaks('p1'), true);
  assert.ok(network.logged.some((line) => line.startsWith(`VSI ${web1.vsiId} pre-associate at p1: refused`)));
  answer();
  await turns();
});

test('a flood of requests fills no log, and leaves a line that says how many there were', () => {
  const lines: string[] = [];
  const log = new RequestLog((_, line) => lines.push(line));
  for (let i = 0; i < 8_000; i++) log.say('p1', 'info', 'granted', 0);
  log.say('p2', 'info', 'granted', 0);
  assert.equal(lines.length, 1_001, 'a host starts as many VMs, and another port has a share of its own');
  log.say('p1', 'info', 'granted', 1_000);
  assert.equal(lines.at(-1), 'granted (after 7000 more at p1)');
});

test('the agent says of a port no more than that', () => {
  const peers = new Peers();
  const before = peers.network.logged.length;
  for (let i = 0; i < 700; i++)
    for (const mode of ['associate', 'de-associate'] as const) peers.ask('p1', mode);
  const lines = peers.network.logged.length - before;
  assert.ok(lines >= 1000 && lines <= 1010, `${lines} lines`);
});

test('a VSI does not get the address of a station or of a port, whose frames would count as a VM’s', () => {
  const peers = new Peers();
  const { network } = peers;
  for (const mac of [peerMacs.p2, peerMacs.p1, '02:00:00:00:01:00' as never]) {
    network.directory.grants.set(web1.vsiId, { ...web1, macs: [mac, ...web1.macs] });
    peers.ask('p1', 'associate', { filter: withMac(mac) });
    assert.equal(
      network.logged.at(-1),
      `VSI ${web1.vsiId} associate at p1: refused, invalid VID, GroupID or MAC address: address ${mac} is a bridge port's, a station's or a host's own; another one would be right`,
    );
  }
  network.restartBridge();
  peers.ask('p1', 'associate', { filter: withMac(peerMacs.p2) });
  peers.say('p2');
  assert.equal(network.bridge.portStates()[1]?.state.neighbour?.mac, peerMacs.p2, 'it is heard');
});

test('what speaks at its source while the manager is asked has not announced itself elsewhere', async () => {
  const network = new TestNetwork('armed');
  await network.happens('p1', 'started');
  await network.happens('p2', 'incoming');
  network.pass(1000);
  const { directory, answer } = slowDirectory();
  Object.assign(network.directory, { hasCopy: false, answer: directory.answer });
  network.announces('p2');
  network.pass(1);
  network.speaks('p1');
  answer();
  await turns();
  assert.deepEqual(network.directory.fetched, [`${web1.vsiId} dc1/17/1`]);
  assert.equal(network.speaks('p1'), true);
  assert.match(network.logged.at(-1)!, /ignored: it still speaks on p1$/);
});

test('after a restart of the agent the source’s keep-alive moves nothing, in whatever words it comes', () => {
  const peers = new Peers();
  const { network } = peers;
  const byVid = { format: 'vid', entries: [{ vid: nullVid }] } as const;
  const macs = [web1.macs[0]!, '52:54:00:00:00:0d' as never];
  network.directory.grants.set(web1.vsiId, { ...web1, macs });
  peers.ask('p1', 'associate', { filter: byVid });
  peers.ask('p2', 'pre-associate-rr');
  peers.ask('p2', 'associate');
  assert.equal(network.speaks('p2'), true);
  network.restartBridge();
  for (const port of ['p1', 'p2'] as const) peers.say(port);
  peers.ask('p1', 'associate', { filter: byVid });
  assert.equal(network.logged.at(-1), `VSI ${web1.vsiId} associate at p1: granted`);
  assert.equal(network.bridge.entries.get(web1.vsiId)?.active, 'p2');
  peers.ask('p2', 'de-associate');
  assert.equal(network.speaks('p1'), true, 'and it is there to fall back to');
});

test('a station may call itself as LLDP lets it, and is told in one line', () => {
  const peers = new Peers();
  for (const [said, name] of [
    ['h'.repeat(200), 'h'.repeat(200)],
    ['a\nb', 'a\u{fffd}b'],
    ['', null],
  ] as const) {
    peers.say('p1', said);
    assert.equal(peers.network.bridge.stationAt('p1'), name);
  }
  peers.network.directory.grants.set(web1.vsiId, { ...web1, hosts: ['h'.repeat(200), 'a\u{fffd}b'] });
  for (const name of ['h'.repeat(200), 'a\nb', 'other']) {
    peers.say('p1', name);
    peers.ask('p1', 'associate');
    assert.equal(peers.network.speaks('p1'), name !== 'other', 'hosts can name it');
    peers.ask('p1', 'de-associate');
  }
});

test('a port speaks from the address that its interface has now', () => {
  const network = new TestNetwork();
  const mac = '02:00:00:00:01:77' as never;
  network.bridge.addressChanged('p1', mac);
  for (const runs of [false, true]) network.stations.p1.linkChanged(runs);
  network.pass(40_000);
  assert.equal(network.stations.p1.state().neighbour?.mac, mac);
});
