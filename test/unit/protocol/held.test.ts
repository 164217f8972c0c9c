import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { BridgePort, BridgePortOptions, BridgePortOutput } from '../../../src/protocol/bridge-port.ts';
import { defaultHold, noHold } from '../../../src/protocol/vdp/hold.ts';
import {
  bridgeMac,
  bridgePort,
  pass,
  stationMac,
  stationPort,
  vsi,
  vsiId,
} from '../../kit/protocol/fixtures.ts';
import { asked, bridgeEvb, Peer, sent, stationEvb, told } from '../../kit/protocol/peer.ts';

const station = new Peer(stationMac);
const accept = { kind: 'accept' } as const;
const far = 10_000_000;

/** A port with VM 1, asked for in `mode` at 10 s. */
function holding(
  options: Partial<BridgePortOptions> = {},
  mode: 'associate' | 'pre-associate' = 'associate',
): BridgePort {
  const bridge = bridgePort({ vsiHold: defaultHold, ...options });
  bridge.linkUp(0);
  bridge.receive(station.lldp(stationEvb), 0);
  pass(bridge, 0, 9_500);
  bridge.receive(station.lldp(stationEvb), 9_500);
  const outputs = bridge.receive(station.ecp(1, [asked(mode, vsi(1))]), 10_000);
  const request = outputs.find((output) => output.kind === 'request');
  assert.ok(request?.kind === 'request');
  acknowledge(bridge, bridge.answer(request.token, accept, 10_000), 10_000);
  return bridge;
}

function acknowledge(bridge: BridgePort, outputs: BridgePortOutput[], now: number): void {
  for (const frame of sent(outputs)) if ('seq' in frame) bridge.receive(station.ack(frame.seq), now);
}

const supervision = (bridge: BridgePort) => bridge.state().timers.keepAliveSupervision;

interface Told {
  readonly at: number;
  readonly held?: boolean;
  readonly released?: string;
}

/** What is told of VSIs as time passes, and when. */
function story(bridge: BridgePort, from: number, to: number): Told[] {
  return pass(bridge, from, to).flatMap(({ at, output }): Told[] =>
    output.kind === 'held'
      ? [{ at, held: output.held }]
      : output.kind === 'released'
        ? [{ at, released: output.reason }]
        : [],
  );
}

test('an association whose keep-alives are lost is held for as long as the link is up', () => {
  const bridge = holding();
  const lost = 10_000 + supervision(bridge);
  assert.deepEqual(story(bridge, 10_000, far), [{ at: lost, held: true }]);
  const [held] = bridge.state().vsis;
  assert.deepEqual([held?.association, held?.since, held?.heldSince], ['associated', 10_000, lost]);
});

test('a station that comes back and renews has its association as it was, without a request to the agent', () => {
  const bridge = holding();
  story(bridge, 10_000, far);
  bridge.receive(station.lldp(stationEvb), far);
  const outputs = bridge.receive(station.ecp(1, [asked('associate', vsi(1))]), far + 10);
  assert.deepEqual(told(outputs), [
    { kind: 'held', vsiId: vsiId(1), held: false },
    { kind: 'renewed', vsiId: vsiId(1) },
  ]);
  assert.equal(bridge.state().vsis[0]?.heldSince, null);
  acknowledge(bridge, outputs, far + 10);
  assert.deepEqual(story(bridge, far + 10, 2 * far), [{ at: far + 10 + supervision(bridge), held: true }]);
});

test('a pre-association ends as the standard has it: nothing runs by it', () => {
  const bridge = holding({}, 'pre-associate');
  assert.deepEqual(story(bridge, 10_000, far), [
    { at: 10_000 + supervision(bridge), released: 'keep-alive expired' },
  ]);
});

test('a port may hold for a time, or not at all', () => {
  const some = holding({ vsiHold: { linkUp: 90_000, linkDown: 90_000 } });
  const lost = 10_000 + supervision(some);
  assert.deepEqual(story(some, 10_000, far), [
    { at: lost, held: true },
    { at: lost + 90_000, released: 'hold time over' },
  ]);
  assert.deepEqual(some.state().vsis, []);
  const none = holding({ vsiHold: noHold });
  assert.deepEqual(story(none, 10_000, far), [{ at: lost, released: 'keep-alive expired' }]);
});

test('it ends when another place has claimed the VSI, before or after its keep-alives are lost', () => {
  let isElsewhere = true;
  const before = holding({ isElsewhere: () => isElsewhere });
  const lost = 10_000 + supervision(before);
  assert.deepEqual(story(before, 10_000, far), [{ at: lost, released: 'keep-alive expired' }]);
  isElsewhere = false;
  const after = holding({ isElsewhere: () => isElsewhere });
  assert.deepEqual(story(after, 10_000, lost + 100), [{ at: lost, held: true }]);
  isElsewhere = true;
  assert.deepEqual(story(after, lost + 100, far), [
    { at: lost + supervision(after), released: 'keep-alive expired' },
  ]);
});

test("it ends by the bridge's own word, and by the station's", () => {
  const bridges = holding();
  story(bridges, 10_000, far);
  assert.deepEqual(told(bridges.deassociate(vsiId(1), far)), [
    { kind: 'released', vsiId: vsiId(1), reason: 'by the bridge' },
  ]);
  const stations = holding();
  story(stations, 10_000, far);
  stations.receive(station.lldp(stationEvb), far);
  const outputs = stations.receive(station.ecp(1, [asked('de-associate', vsi(1))]), far + 10);
  assert.deepEqual(told(outputs), [{ kind: 'released', vsiId: vsiId(1), reason: 'requested' }]);
});

test('a link that was down for the hold time ends it, and one that flaps does not', () => {
  const bridge = holding();
  for (let now = 20_000; now < 600_000; now += 50_000) {
    bridge.linkDown(now);
    assert.deepEqual(
      story(bridge, now, now + 40_000).filter((told) => 'released' in told),
      [],
    );
    bridge.linkUp(now + 40_000);
    story(bridge, now + 40_000, now + 50_000);
  }
  bridge.linkDown(700_000);
  assert.deepEqual(story(bridge, 700_000, far), [{ at: 760_000, released: 'hold time over' }]);
});

test('with no hold, a link that is down changes nothing of the supervision', () => {
  const bridge = holding({ vsiHold: noHold });
  bridge.linkDown(11_000);
  assert.deepEqual(story(bridge, 11_000, far), [
    { at: 10_000 + supervision(bridge), released: 'keep-alive expired' },
  ]);
});

test('whoever did not run for a while blames nobody: keep-alives are awaited anew, and neighbours', () => {
  for (const vsiHold of [noHold, { linkUp: 1_000, linkDown: 1_000 }]) {
    const bridge = holding({ vsiHold });
    const lost = 10_000 + supervision(bridge);
    // stopped from 12 s on, for longer than an LLDPDU is good for
    const woken = 200_000;
    const outputs = told(bridge.tick(woken));
    assert.deepEqual(outputs, []);
    assert.equal(bridge.state().neighbour?.mac, stationMac);
    // the renewal that waited in the socket
    acknowledge(bridge, bridge.receive(station.ecp(2, [asked('associate', vsi(1))]), woken + 1), woken + 1);
    const first = story(bridge, woken + 1, far)[0];
    assert.equal(first?.at, woken + 1 + lost - 10_000, 'and then supervised as ever');
  }
});

test('a hold time, or a link that is down, does not run while the bridge does not', () => {
  const bridge = holding({ vsiHold: { linkUp: 90_000, linkDown: 90_000 } });
  const lost = 10_000 + supervision(bridge);
  story(bridge, 10_000, lost);
  bridge.tick(500_000);
  assert.deepEqual(story(bridge, 500_000, far), [{ at: 590_000, released: 'hold time over' }]);
  const down = holding();
  down.linkDown(20_000);
  story(down, 20_000, 40_000);
  down.tick(500_000);
  assert.deepEqual(story(down, 500_000, far), [{ at: 560_000, released: 'hold time over' }]);
});

test('a station that did not run for a while still believes its bridge, and asks again at once', () => {
  const agent = stationPort();
  const bridge = new Peer(bridgeMac);
  agent.linkUp(0);
  agent.receive(bridge.lldp(bridgeEvb), 0);
  pass(agent, 0, 9_500);
  agent.receive(bridge.lldp(bridgeEvb), 9_500);
  agent.request(vsi(1), 'associate', 10_000);
  const outputs = agent.tick(300_000);
  assert.equal(agent.state().neighbour?.mac, bridgeMac);
  assert.deepEqual(told(outputs), [], 'the answer may wait in the socket');
  const answer = { ...asked('associate', vsi(1)), kind: 'answer', refusal: null } as const;
  assert.deepEqual(
    told(agent.receive(bridge.ecp(1, [answer]), 300_001)).map(({ kind }) => kind),
    ['granted'],
  );
});
