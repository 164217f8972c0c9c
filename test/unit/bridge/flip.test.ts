import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { rarp } from '../../../src/bridge/core/network-frames.ts';
import { places } from '../../../src/bridge/core/vsi-entry.ts';
import { BridgePort } from '../../../src/protocol/bridge-port.ts';
import type { Trust } from '../../../src/protocol/trust.ts';
import { TestNetwork, web1 } from '../../kit/bridge/network.ts';
import { Peers } from '../../kit/bridge/peers.ts';

const { vsiId } = web1;

/** Stations of which the test says what they are trusted for; a VM runs at p1 and is awaited at p2. */
async function prepared(t: TestContext, trust: Trust, heed?: 'armed'): Promise<Peers> {
  t.mock.getter(BridgePort.prototype, 'trust', () => trust);
  const peers = new Peers(new TestNetwork(heed));
  peers.ask('p1', 'associate');
  peers.ask('p2', 'pre-associate-rr');
  await peers.settle();
  assert.deepEqual(where(peers), 'active p1, armed p2');
  peers.network.pass(1000);
  return peers;
}

function where({ network }: Peers): string {
  const entry = network.bridge.entries.get(vsiId);
  const found = Object.entries(entry ? places(entry) : {}).flatMap(([role, place]) =>
    place ? [`${role} ${(place as { port: string }).port}`] : [],
  );
  return [...found, ...(entry?.flip ? ['provisional'] : [])].join(', ');
}

/** When the network was told, in ms since `start`; each time is one RARP for the VM. */
function told({ network }: Peers, start: number): number[] {
  const expected = Buffer.from(rarp(web1.macs[0]!)).toString('hex');
  return network.relay.announced.splice(0).map(({ at, port, frame }) => {
    assert.deepEqual([port, Buffer.from(frame).toString('hex')], ['n1', expected]);
    return Math.round(at - start);
  });
}

test("a signed station's stop flips at once, and the destination's ASSOCIATE confirms it", async (t) => {
  const peers = await prepared(t, 'signed');
  const { network } = peers;
  const start = network.time.now();
  peers.ask('p1', 'associate', { suspended: true });
  assert.equal(where(peers), 'active p2, released p1, provisional');
  assert.deepEqual(network.hears(), ['p2'], 'frames to the VM wait for it there');
  assert.equal(network.speaks('p1'), true, 'its last frames are on their way');
  network.pass(100);
  assert.equal(network.speaks('p1'), false);
  network.pass(100);
  peers.ask('p2', 'associate');
  assert.equal(where(peers), 'active p2, released p1');
  network.pass(1000);
  const [flip, again, ...confirmed] = told(peers, start);
  assert.deepEqual([flip! <= 1, again! - flip!, confirmed.length], [true, 100, 1]);
  peers.ask('p1', 'de-associate');
  assert.deepEqual(network.moments(), ['reserve', 'ready', 'flip', 'active', 'release']);
  assert.deepEqual(network.bridge.flips, { flipped: 1, confirmed: 1, undone: 0, provisional: 0 });
});

test('a VM that goes on at its source takes its flip back: one write, the network hears of it, and what was lost is counted', async (t) => {
  const peers = await prepared(t, 'signed');
  const { network } = peers;
  peers.ask('p1', 'associate', { suspended: true });
  network.pass(50);
  for (let i = 0; i < 3; i++) network.hears();
  network.relay.announced.length = 0;
  const start = network.time.now();
  peers.ask('p1', 'associate', { suspended: false });
  assert.equal(where(peers), 'active p1, armed p2');
  assert.equal(network.speaks('p1'), true);
  assert.deepEqual(network.hears(), ['p1']);
  network.pass(1000);
  assert.deepEqual(
    told(peers, start).map((at) => at >= 100),
    [false, true],
    'what the destination had to say is cancelled',
  );
  const { moment, lost } = network.reports.at(-1)!;
  assert.deepEqual([moment, lost], ['undo', { undone: 3 }]);
  peers.ask('p1', 'associate', { suspended: true });
  assert.equal(where(peers), 'active p2, released p1, provisional', 'it may stop again');
  peers.ask('p2', 'de-associate');
  assert.equal(where(peers), 'active p1', 'the destination gives up');
  assert.deepEqual(network.moments().slice(2), ['flip', 'undo', 'flip', 'undo', 'abort']);
});

test('neither an unsigned station, nor hints that an association began with, nor repeats of them move anything', async (t) => {
  const unsigned = await prepared(t, 'first use');
  unsigned.ask('p1', 'associate', { suspended: true });
  assert.equal(where(unsigned), 'active p1, armed p2');
  t.mock.getter(BridgePort.prototype, 'trust', () => 'signed');
  const peers = new Peers();
  // lldpad with hints=from
  for (let i = 0; i < 3; i++) peers.ask('p1', 'associate', { suspended: true });
  peers.ask('p2', 'pre-associate-rr');
  await peers.settle();
  for (let i = 0; i < 3; i++) {
    peers.network.pass(10_000);
    peers.ask('p1', 'associate', { suspended: true });
    peers.ask('p2', 'pre-associate-rr');
  }
  assert.equal(where(peers), 'active p1, armed p2');
  // by hand, or for a snapshot: the station says nothing, for the VM goes nowhere
  peers.network.pass(10_000);
  assert.equal(where(peers), 'active p1, armed p2');
});

test('once it is confirmed, neither renewals nor hints nor frames at the source move anything', async (t) => {
  const peers = await prepared(t, 'signed');
  const { network } = peers;
  peers.ask('p1', 'associate', { suspended: true });
  peers.ask('p2', 'associate');
  peers.ask('p1', 'associate', { suspended: false });
  peers.ask('p1', 'associate', { suspended: true });
  for (let i = 0; i < 20; i++) {
    network.pass(50);
    network.speaks('p1');
  }
  assert.equal(where(peers), 'active p2, released p1');
});

test('where the source cannot say that the VM goes on, its frames do, later than a moment after the flip', async (t) => {
  const peers = await prepared(t, 'first use');
  const { network } = peers;
  network.bridge.migrationStopped(vsiId);
  assert.equal(where(peers), 'active p2, released p1, provisional');
  for (let i = 0; i < 9; i++) {
    assert.equal(network.speaks('p1'), true, 'on its way');
    network.pass(10);
  }
  network.pass(100);
  assert.equal(where(peers), 'active p2, released p1, provisional', 'what was on its way moves nothing');
  network.pass(5000);
  assert.equal(network.speaks('p1'), false);
  network.pass(10);
  assert.equal(where(peers), 'active p1, armed p2');
  assert.equal(network.speaks('p1'), true);
  assert.equal(network.moments().at(-1), 'undo');
});

test('a signed station that has said stop is believed, and not frames; one that has fallen silent is not', async (t) => {
  let trust: Trust = 'signed';
  const peers = await prepared(t, 'signed');
  t.mock.getter(BridgePort.prototype, 'trust', () => trust);
  const { network } = peers;
  peers.ask('p1', 'associate', { suspended: true });
  network.pass(200);
  network.speaks('p1'); // a neighbour may forge it
  network.pass(200);
  assert.equal(where(peers), 'active p2, released p1, provisional');
  trust = 'pinned';
  network.speaks('p1');
  network.pass(200);
  assert.equal(where(peers), 'active p1, armed p2');
});

test('the manager says stop for a station that cannot, and that a migration has failed', async (t) => {
  const peers = await prepared(t, 'first use');
  const { network } = peers;
  network.bridge.migrationStopped(vsiId);
  network.bridge.migrationEnded(vsiId);
  assert.equal(where(peers), 'active p1, armed p2');
  t.mock.getter(BridgePort.prototype, 'trust', () => 'signed');
  network.bridge.migrationStopped(vsiId);
  assert.equal(where(peers), 'active p1, armed p2', 'a signed one says so itself');
});

test("the destination host's kernel speaks for a silent VM: it is moved for now, and back when it speaks (c14)", async (t) => {
  const peers = await prepared(t, 'first use', 'armed');
  const { network } = peers;
  network.announces('p2');
  assert.equal(where(peers), 'active p2, released p1, provisional');
  network.pass(500);
  assert.equal(network.speaks('p1'), false);
  network.pass(10);
  assert.equal(where(peers), 'active p1, armed p2');
  assert.equal(network.speaks('p1'), true);
  network.pass(1000);
  network.announces('p2');
  network.pass(100);
  assert.equal(where(peers), 'active p1, armed p2', 'nobody is taken in twice');
  peers.ask('p2', 'associate');
  assert.equal(
    where(peers),
    'active p2, released p1',
    "the station's own word counts, also as what VDP takes for a renewal",
  );
});

test("a VM's own announcement counts not where the station signs what it says", async (t) => {
  const peers = await prepared(t, 'signed');
  peers.network.announces('p2');
  peers.network.pass(100);
  assert.equal(where(peers), 'active p1, armed p2');
});

test('a source that lets go activates the place that is armed, for now', async (t) => {
  const peers = await prepared(t, 'first use');
  const { network } = peers;
  peers.ask('p1', 'de-associate');
  assert.equal(where(peers), 'active p2, provisional');
  assert.deepEqual(network.hears(), ['p2']);
  peers.ask('p2', 'associate');
  assert.equal(where(peers), 'active p2');
  assert.deepEqual(network.moments(), ['reserve', 'ready', 'flip', 'release', 'active']);
});

test('so does a source whose link is down; what speaks there later takes it back', async (t) => {
  const peers = await prepared(t, 'first use');
  const { network } = peers;
  network.bridge.linkChanged('p1', 'down');
  assert.equal(where(peers), 'active p2, released p1, provisional');
  network.bridge.linkChanged('p1', 'up');
  network.pass(200);
  network.speaks('p1');
  network.pass(10);
  assert.equal(where(peers), 'active p1, armed p2');
});

test('an agent that is restarted knows which flips are provisional, and why', async (t) => {
  for (const end of ['confirmed', 'undone'] as const) {
    const peers = await prepared(t, 'signed');
    const { network } = peers;
    peers.ask('p1', 'associate', { suspended: true });
    network.restartBridge();
    peers.say('p1');
    peers.say('p2');
    assert.equal(where(peers), 'active p2, released p1, provisional');
    if (end === 'confirmed') peers.ask('p2', 'associate');
    else peers.ask('p1', 'associate', { suspended: false });
    await peers.settle();
    assert.equal(where(peers), end === 'confirmed' ? 'active p2, released p1' : 'active p1, armed p2');
    t.mock.restoreAll();
  }
});

test('what the data plane refuses of an undo is owed, and made when it can be', async (t) => {
  const peers = await prepared(t, 'signed');
  const { network } = peers;
  peers.ask('p1', 'associate', { suspended: true });
  network.relay.refusal = 'busy';
  peers.ask('p1', 'associate', { suspended: false });
  network.relay.refusal = null;
  network.pass(2000);
  assert.equal(network.speaks('p1'), true);
});

test('our stations say it all themselves: stop, resume at the source after a failure, and the second attempt', async (t) => {
  t.mock.getter(BridgePort.prototype, 'trust', () => 'signed');
  const network = new TestNetwork();
  await network.happens('p1', 'started');
  await network.happens('p2', 'incoming');
  const moment = () => network.moments().at(-1);
  await network.happens('p1', 'stopped');
  assert.deepEqual([moment(), network.hears()], ['flip', ['p2']]);
  await network.happens('p1', 'resumed');
  assert.deepEqual([moment(), network.hears(), network.speaks('p1')], ['undo', ['p1'], true]);
  await network.happens('p1', 'stopped');
  await network.happens('p2', 'resumed');
  assert.deepEqual(network.hears(), ['p2']);
  await network.happens('p1', 'left');
  assert.deepEqual(network.moments().slice(-3), ['resume', 'active', 'release']);
  assert.deepEqual(network.bridge.flips, { flipped: 2, confirmed: 1, undone: 1, provisional: 0 });
});

test('what the source dropped while it was there and signed undoes nothing when it falls silent', async (t) => {
  let trust: Trust = 'signed';
  t.mock.getter(BridgePort.prototype, 'trust', () => trust);
  const peers = new Peers(new TestNetwork());
  peers.ask('p1', 'associate');
  peers.ask('p2', 'pre-associate-rr');
  await peers.settle();
  const { network } = peers;
  network.pass(1000);
  peers.ask('p1', 'associate', { suspended: true });
  network.pass(500);
  assert.equal(network.speaks('p1'), false, 'it is dropped, and says nothing');
  network.pass(500);
  trust = 'pinned';
  network.pass(500);
  assert.equal(where(peers), 'active p2, released p1, provisional');
  network.speaks('p1');
  network.pass(500);
  assert.equal(where(peers), 'active p1, armed p2', 'what comes after that does');
});

test('a VM that runs where its station died before it could say so stays there', async (t) => {
  const peers = await prepared(t, 'signed');
  const { network } = peers;
  peers.ask('p1', 'associate', { suspended: true });
  for (let i = 0; i < 12; i++) {
    network.pass(5_000);
    peers.ask('p1', 'associate', { suspended: true }); // the source's keep-alive
  }
  assert.equal(where(peers), 'active p2, released p1, provisional');
  assert.deepEqual(network.hears(), ['p2']);
});
