import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseVid } from '../../../src/domain/vid.ts';
import { profile, TestNetwork, web1 } from '../../kit/bridge/network.ts';

const granted = { granted: true };

test('a VM is heard only when its station has associated it', async () => {
  const network = new TestNetwork();
  assert.equal(network.speaks('p1'), false);
  assert.deepEqual(network.hears(), []);
  assert.deepEqual(await network.happens('p1', 'started'), granted);
  assert.equal(network.speaks('p1'), true);
  assert.deepEqual(network.hears(), ['p1']);
  assert.deepEqual(await network.happens('p1', 'gone'), granted);
  assert.equal(network.speaks('p1'), false);
});

test('a migration arms, flips and releases, and reports each moment in order', async () => {
  const network = new TestNetwork();
  await network.happens('p1', 'started');
  assert.deepEqual(await network.happens('p2', 'incoming'), granted);
  assert.deepEqual(network.hears(), ['p1'], 'armed: frames to the VM go to the source alone');
  assert.equal(network.speaks('p1'), true, 'prepare never harms the source');
  assert.equal(network.speaks('p2'), false, 'armed: frames from the VM are dropped');
  await network.happens('p1', 'stopped');
  await network.happens('p2', 'arrived');
  assert.deepEqual(network.hears(), ['p2']);
  assert.equal(network.speaks('p2'), true);
  assert.equal(network.speaks('p1'), true, 'its last frames were on their way');
  network.pass(100);
  assert.equal(network.speaks('p1'), false);
  await network.happens('p2', 'resumed');
  await network.happens('p1', 'left');
  assert.deepEqual(network.moments(), [
    'announce',
    'reserve',
    'ready',
    'stop',
    'active',
    'resume',
    'release',
  ]);
  const release = network.reports.at(-1)!;
  assert.deepEqual(release.source, { bridge: 'sw', port: 'p1' });
  assert.deepEqual(release.counts!.source!.dropped, { moved: 1 });
  assert.deepEqual(release.counts!.destination!.dropped, { armed: 1 });
  assert.deepEqual(network.hears(), ['p2']);
});

test("the source's late keep-alives do not move the VM back", async () => {
  const network = new TestNetwork();
  await network.happens('p1', 'started');
  await network.happens('p2', 'incoming');
  await network.happens('p2', 'resumed');
  network.pass(60_000); // both stations keep theirs alive all this time
  assert.deepEqual(network.hears(), ['p2']);
  assert.equal(network.speaks('p1'), false);
});

test('a migration that is given up leaves the source as it was', async () => {
  const network = new TestNetwork();
  await network.happens('p1', 'started');
  await network.happens('p2', 'incoming');
  await network.happens('p2', 'aborted');
  assert.deepEqual(network.hears(), ['p1']);
  assert.equal(network.speaks('p1'), true);
  assert.equal(network.moments().at(-1), 'abort');
});

test('a migration that fails after the cut-over goes back to the source', async () => {
  const network = new TestNetwork();
  await network.happens('p1', 'started');
  await network.happens('p2', 'incoming');
  await network.happens('p2', 'arrived');
  network.pass(100);
  assert.equal(network.speaks('p1'), false);
  await network.happens('p2', 'aborted');
  assert.equal(network.speaks('p1'), true);
  assert.deepEqual(network.hears(), ['p1']);
});

test('nothing is granted beyond the database, and a refusal leaves nothing behind', async () => {
  const network = new TestNetwork();
  network.directory.grants.set(web1.vsiId, { ...web1, hosts: ['h1'] });
  assert.deepEqual(await network.happens('p2', 'started'), {
    granted: false,
    reason: `VSI ${web1.vsiId}: the bridge refused: other failure: VSI ${web1.vsiId} may not appear at station h2; h1 would be right`,
  });
  assert.equal(network.relay.held().vsis.size, 0);
  assert.deepEqual(await network.happens('p1', 'started'), granted);
  assert.equal((await network.happens('p2', 'incoming')).granted, false);
  assert.deepEqual(network.hears(), ['p1'], 'a refused destination is no destination');
  assert.deepEqual(network.moments(), ['announce', 'fail']);
  assert.match(network.reports.at(-1)!.reason!, /the bridge refused: other failure/);
});

test('a manager that is away is said to be, and asked again later', async () => {
  const network = new TestNetwork();
  network.directory.hasCopy = false;
  network.directory.away = true;
  const outcome = await network.happens('p1', 'started');
  assert.ok(!outcome.granted && /unable to contact VSI manager/.test(outcome.reason));
  network.directory.away = false;
  assert.deepEqual(await network.happens('p1', 'started'), granted);
});

test('a restarted agent adopts what the data plane holds, in the middle of a migration', async () => {
  const network = new TestNetwork();
  await network.happens('p1', 'started');
  await network.happens('p2', 'incoming');
  const held = network.relay.held();
  network.restartBridge();
  assert.deepEqual(network.relay.held(), held, 'nothing changed, reflective relay included');
  network.pass(3000);
  await network.happens('p2', 'arrived');
  await network.happens('p1', 'left');
  assert.deepEqual(network.hears(), ['p2']);
  network.pass(60_000);
  assert.equal(network.speaks('p2'), true, 'keep-alives go on with the new agent');
});

test('a station that is gone for a moment leaves its VSIs and their reflective relay', async () => {
  const network = new TestNetwork();
  await network.happens('p1', 'started');
  network.stations.p1.stop(); // LLDP with TTL 0
  network.pass(100);
  assert.deepEqual(network.relay.held().ports.get('p1'), { kind: 'station', reflectiveRelay: true });
  assert.equal(network.speaks('p1'), true);
});

test('a changed profile is in force at once; a withdrawn one ends its associations', async () => {
  const network = new TestNetwork();
  await network.happens('p1', 'started');
  network.bridge.profileChanged({ ...profile, vlan: parseVid(200) });
  assert.equal(network.relay.held().vsis.get(web1.vsiId)!.policy.vlan, 200);
  assert.deepEqual(network.hears(), [], 'the network port has VLAN 100 only');
  network.directory.grants.clear();
  network.bridge.withdrawn({ vsiId: web1.vsiId });
  assert.equal(network.relay.held().vsis.size, 0);
});

test('a grant that still covers what is held costs nothing; one that does not ends it', async () => {
  const network = new TestNetwork();
  await network.happens('p1', 'started');
  network.directory.grants.set(web1.vsiId, { ...web1, hosts: ['h1', 'h2'] });
  network.bridge.withdrawn({ vsiId: web1.vsiId });
  assert.equal(network.speaks('p1'), true);
  network.directory.grants.set(web1.vsiId, { ...web1, hosts: ['h2'] });
  network.bridge.withdrawn({ vsiId: web1.vsiId });
  assert.equal(network.speaks('p1'), false);
});

test('a refusal that passes costs the VSI nothing, and the station asks again', async () => {
  const network = new TestNetwork();
  network.directory.hasCopy = false;
  network.directory.away = true;
  assert.equal((await network.happens('p1', 'started')).granted, false);
  network.directory.away = false;
  for (let turn = 0; turn < 40; turn++) {
    network.pass(1000);
    await settle(network);
  }
  assert.equal(network.speaks('p1'), true);
});

test('the VM that an announcement moved is supervised like any other', async () => {
  const network = new TestNetwork();
  await network.happens('p1', 'started');
  network.directory.garp = true;
  network.pass(1000);
  network.announces('p2');
  await settle(network);
  assert.equal(network.speaks('p2'), true);
  network.pass(60_000);
  assert.equal(network.speaks('p2'), false, 'nobody keeps it alive');
});

test('an announcement moves a VM only in a migration that allows it, and not while it speaks at the source', async () => {
  const network = new TestNetwork();
  await network.happens('p1', 'started');
  network.pass(1000);
  network.speaks('p1');
  network.announces('p2');
  await settle(network);
  assert.deepEqual(network.hears(), ['p1'], 'a neighbour may have forged it');
  network.directory.garp = true;
  network.bridge.migrationOpened(web1.vsiId);
  network.pass(1000);
  network.speaks('p1');
  network.announces('p2');
  network.pass(3);
  network.speaks('p1');
  await settle(network);
  assert.deepEqual(network.hears(), ['p1'], 'it still speaks at the source');
  network.pass(1000);
  network.announces('p2');
  await settle(network);
  assert.deepEqual(network.hears(), ['p2']);
  assert.deepEqual(network.moments(), ['active', 'release']);
  assert.deepEqual(network.reports.at(-1)!.counts!.destination!.dropped, { unassociated: 2 });
});

test('a VM that runs before its station has said so is active when it speaks where it is armed', async () => {
  const network = new TestNetwork('armed');
  await network.happens('p1', 'started');
  await network.happens('p2', 'incoming');
  network.pass(1000);
  network.announces('p2');
  assert.deepEqual(network.hears(), ['p2']);
  assert.equal(network.speaks('p2'), true, 'at once');
  network.pass(60_000); // both stations go on to renew what they have: the one associated, the other pre-associated
  assert.deepEqual(network.hears(), ['p2']);
  assert.deepEqual(await network.happens('p2', 'resumed'), granted, 'the late word is granted');
  await network.happens('p1', 'left');
  assert.deepEqual(network.moments().slice(2), ['ready', 'flip', 'resume', 'active', 'release']);
  assert.deepEqual(network.hears(), ['p2']);
});

test('a station whose ASSOCIATE is lost has its answer when the VM speaks', async () => {
  const network = new TestNetwork('armed');
  await network.happens('p1', 'started');
  await network.happens('p2', 'incoming');
  network.pass(1000);
  network.listening = false;
  const asked = network.happens('p2', 'resumed');
  network.announces('p2');
  assert.deepEqual(await asked, granted);
  network.listening = true;
  network.pass(60_000);
  assert.equal(network.speaks('p2'), true, 'and is kept alive');
});

test('an announcement where a VM is armed counts not while it speaks at the source, which a stop may precede closely', async () => {
  const network = new TestNetwork('armed');
  await network.happens('p1', 'started');
  await network.happens('p2', 'incoming');
  network.pass(1000);
  for (const last of [1, 2, 4]) {
    network.speaks('p1');
    network.announces('p2');
    network.pass(last);
    network.speaks('p1');
    network.pass(100);
    assert.equal(network.speaks('p1'), true, 'forged');
  }
  network.speaks('p1');
  network.announces('p2');
  network.pass(4);
  assert.equal(network.speaks('p2'), false, 'it may be forged');
  network.pass(1);
  assert.equal(network.speaks('p2'), true);
});

test('an announcement counts only where the VM is armed, and where its station is not of our own', async () => {
  const armed = new TestNetwork('armed');
  await armed.happens('p1', 'started');
  armed.pass(1000);
  armed.announces('p2');
  armed.pass(100);
  assert.deepEqual(armed.hears(), ['p1'], 'p2 does not know it');
  for (const heed of [undefined, 'never'] as const) {
    const network = new TestNetwork(heed);
    await network.happens('p1', 'started');
    await network.happens('p2', 'incoming');
    network.pass(1000);
    network.announces('p2');
    network.pass(100);
    assert.equal(
      network.speaks('p1'),
      true,
      "a neighbour may have forged it; the station's word is expected",
    );
    assert.equal(network.speaks('p2'), false);
  }
});

test('what was withdrawn meanwhile is not granted because the VM speaks', async () => {
  const network = new TestNetwork('armed');
  await network.happens('p1', 'started');
  await network.happens('p2', 'incoming');
  network.pass(1000);
  network.directory.grants.set(web1.vsiId, { ...web1, hosts: ['h1'] });
  network.announces('p2');
  network.pass(100);
  assert.equal(network.speaks('p1'), true);
});

test("a migration's counts are its own also when the agent was restarted in its middle", async () => {
  const network = new TestNetwork();
  await network.happens('p1', 'started');
  for (let i = 0; i < 5; i++) network.speaks('p1');
  await network.happens('p2', 'incoming');
  for (let i = 0; i < 3; i++) network.speaks('p1');
  network.speaks('p2');
  network.restartBridge();
  network.pass(3000);
  await network.happens('p2', 'resumed');
  network.speaks('p2');
  await network.happens('p1', 'left');
  const { source, destination } = network.reports.at(-1)!.counts!;
  assert.equal(network.moments().at(-1), 'release');
  assert.deepEqual([source!.framesFromVm, destination!.framesFromVm], [3, 1]);
  assert.deepEqual(destination!.dropped, { armed: 1 });
});

test('what has to go is tried again until the data plane lets go of it', async () => {
  const network = new TestNetwork();
  await network.happens('p1', 'started');
  network.relay.refusal = 'out of order';
  assert.deepEqual(await network.happens('p1', 'gone'), granted, 'the station need not know');
  assert.match(network.bridge.owed ?? '', /released at p1: out of order/);
  assert.equal(network.speaks('p1'), true);
  network.pass(10_000);
  assert.equal(network.speaks('p1'), true);
  network.relay.refusal = null;
  network.pass(30_000);
  assert.equal(network.bridge.owed, null);
  assert.equal(network.speaks('p1'), false);
});

test('a station that was told the VLAN has to ask again when its profile has another one', async () => {
  const network = new TestNetwork();
  network.directory.profile = { ...profile, tagged: true };
  await network.happens('p1', 'started');
  assert.equal(network.relay.held().vsis.get(web1.vsiId)!.places.active!.wireVid, 100);
  network.directory.profile = { ...profile, tagged: true, vlan: parseVid(200) };
  network.bridge.profileChanged(network.directory.profile);
  assert.equal(network.relay.held().vsis.size, 0, 'its frames still carry the VID of before');
  network.pass(60_000);
  const { places, policy } = network.relay.held().vsis.get(web1.vsiId)!;
  assert.deepEqual([places.active!.wireVid, policy.vlan], [200, 200]);
});

async function settle(network: TestNetwork): Promise<void> {
  for (let turn = 0; turn < 5; turn++) await Promise.resolve();
  network.pass(5);
}

test('a port at which a second station speaks is of no use until its link was down', async () => {
  const network = new TestNetwork();
  network.directory.garp = true;
  await network.happens('p1', 'started');
  assert.ok(network.speaks('p1'));
  network.secondStation('p1');
  assert.equal(network.speaks('p1'), false);
  assert.deepEqual(network.hears(), []);
  assert.equal(network.bridge.entries.size, 0);
  network.pass(40_000);
  network.announces('p1');
  await network.happens('p2', 'stopped');
  assert.equal(network.bridge.entries.size, 0, 'neither its station nor the VM itself brings anything back');
  network.bridge.linkChanged('p1', 'up');
  network.pass(40_000);
  assert.equal(network.bridge.entries.size, 0, 'a link that was not down is not up again');
  network.bridge.linkChanged('p1', 'down');
  network.bridge.linkChanged('p1', 'up');
  network.pass(40_000);
  await network.happens('p2', 'stopped');
  assert.ok(network.speaks('p1'));
});

test('a station that does not sign has not the name of one that does', async () => {
  const network = new TestNetwork();
  network.directory.grants.set(web1.vsiId, { ...web1, hosts: ['h1'] });
  network.keys = new Map([['h1', [new Uint8Array(32)]]]);
  network.restartBridge({ forgets: true });
  network.pass(40_000);
  const outcome = await network.happens('p1', 'started');
  assert.equal(outcome.granted, false);
  assert.equal(network.bridge.entries.size, 0);
});
