import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseMac } from '../../../src/domain/mac-address.ts';
import type { BridgePort, BridgePortOptions } from '../../../src/protocol/bridge-port.ts';
import { timingOf } from '../../../src/protocol/evb/timers.ts';
import { bridgePort, evb, pass, stationMac, vsi, vsiId } from '../../kit/protocol/fixtures.ts';
import { asked, freshStationEvb, Peer, sent, stationEvb, told } from '../../kit/protocol/peer.ts';

const station = new Peer(stationMac);
const otherMac = parseMac('02:00:00:00:00:09');
const other = new Peer(otherMac);
const hold = 60_000;
const supervision = timingOf(evb.timers).keepAliveSupervision;

/** A port whose station holds VSI 1, and renews it at `now`. */
function busy(options: Partial<BridgePortOptions> = {}): BridgePort {
  const bridge = bridgePort({ placeHold: hold, ...options });
  bridge.linkUp(0);
  bridge.receive(station.lldp(stationEvb), 0);
  grant(bridge, station, 1, 1, 0);
  return bridge;
}

/** What the machine says to a request that the agent grants. */
function grant(bridge: BridgePort, peer: Peer, sequence: number, n: number, now: number): void {
  const outputs = bridge.receive(peer.ecp(sequence, [asked('associate', vsi(n))]), now);
  const request = outputs.find((output) => output.kind === 'request');
  assert.ok(request?.kind === 'request', JSON.stringify(told(outputs)));
  bridge.answer(request.token, { kind: 'accept' }, now);
}

const neighbour = (bridge: BridgePort) => bridge.state().neighbour?.mac ?? null;
const held = (bridge: BridgePort) => bridge.state().vsis.map(({ vsiId }) => vsiId);

/** A VSI's supervision is not at issue here, so that its keep-alives are far away. */
const slow = { evb: { ...evb, timers: { ...evb.timers, rka: 31 } } };

function assertKeepsItsPlace(lose: (bridge: BridgePort) => unknown): void {
  const bridge = busy(slow);
  lose(bridge);
  assert.deepEqual([neighbour(bridge), bridge.trust, bridge.heldUntil], [null, 'first use', 1_000 + hold]);
  bridge.receive(other.lldp(freshStationEvb, 121, 'evil'), 1_000 + hold - 1);
  assert.deepEqual([neighbour(bridge), held(bridge)], [null, [vsiId(1)]]);
  assert.equal(bridge.state().counters.ignored['second speaker'], 1);
  bridge.receive(station.lldp(freshStationEvb), 1_000 + hold - 1);
  assert.deepEqual([neighbour(bridge), held(bridge), bridge.heldUntil], [stationMac, [vsiId(1)], null]);
}

test('a station that cannot sign keeps its place over a good-bye, which a VM can forge, for the hold time', () => {
  assertKeepsItsPlace((bridge) => bridge.receive(station.lldp(null, 0), 1_000));
});

test('a station that cannot sign keeps its place over a link flap, for the hold time', () => {
  assertKeepsItsPlace((bridge) => [bridge.linkDown(1_000), bridge.linkUp(1_000)]);
});

test('a station that cannot sign keeps its place over both, again and again', () => {
  assertKeepsItsPlace((bridge) => {
    for (let i = 0; i < 10; i++) {
      bridge.receive(station.lldp(null, 0), 1_000);
      bridge.linkDown(1_000);
      bridge.linkUp(1_000);
    }
  });
});

test('silence too: others have to wait for the hold time after the TTL', () => {
  const bridge = busy();
  pass(bridge, 0, 121_000);
  assert.deepEqual([neighbour(bridge), bridge.heldUntil], [null, 121_000 + hold]);
  bridge.receive(other.lldp(freshStationEvb, 121, 'evil'), 121_000 + hold - 1);
  assert.equal(neighbour(bridge), null);
  bridge.receive(other.lldp(freshStationEvb, 121, 'evil'), 121_000 + hold);
  assert.equal(neighbour(bridge), otherMac);
});

test('where no VSI is held, a good-bye or a link that was down frees the place at once', () => {
  for (const leave of [
    (bridge: BridgePort) => bridge.receive(station.lldp(null, 0), 10),
    (bridge: BridgePort) => [bridge.linkDown(10), bridge.linkUp(10)],
  ]) {
    const bridge = bridgePort({ placeHold: hold });
    bridge.linkUp(0);
    bridge.receive(station.lldp(stationEvb), 0);
    leave(bridge);
    assert.deepEqual([bridge.station, bridge.trust, bridge.heldUntil], [null, null, null]);
    bridge.receive(other.lldp(freshStationEvb), 20);
    assert.equal(neighbour(bridge), otherMac);
  }
});

test("LLDP of another chassis or port from the station's own address neither frees its place nor is it", () => {
  const bridge = busy({ secondStation: 'down' });
  const { lldp } = bridge.state().counters;
  for (const frame of [
    station.lldp(null, 121, 'networkd'),
    station.lldp(null, 0, 'networkd'),
    station.lldp(null, 120, 'host1', { port: 'up0.1' }),
    station.lldp(null, 0, 'host1', { port: 'up0.1' }),
  ])
    assert.ok(!sent(bridge.receive(frame, 10)).some((each) => 'lldp' in each));
  assert.deepEqual(bridge.state().neighbour?.chassisId, 'host1');
  assert.deepEqual(
    [held(bridge), bridge.isDisabled, bridge.state().evb.negotiated],
    [[vsiId(1)], false, true],
  );
  assert.deepEqual(bridge.state().counters.lldp, lldp, 'none counts as heard, and none is answered');
  assert.equal(bridge.state().counters.ignored['not the neighbour'], 4);
  // the same from the start, before the station has spoken
  const fresh = bridgePort();
  fresh.linkUp(0);
  fresh.receive(station.lldp(null, 121, 'networkd'), 1);
  fresh.receive(station.lldp(stationEvb), 2);
  fresh.receive(station.lldp(null, 0, 'networkd'), 3);
  assert.equal(neighbour(fresh), stationMac);
});

test('a forged good-bye is mended by the next word of the station, which the bridge asks for at once', () => {
  const bridge = busy();
  const [asks] = sent(bridge.receive(station.lldp(null, 0), 5_000));
  assert.ok(asks && 'lldp' in asks);
  assert.equal(asks.lldp.evb?.station.rrreq, false, 'by which a station sees that it was forgotten');
  bridge.receive(station.lldp(freshStationEvb), 5_001);
  assert.deepEqual([neighbour(bridge), held(bridge)], [stationMac, [vsiId(1)]]);
});

test("the old station's VSIs go once the new one is granted its first, and only those that it does not claim", () => {
  const bridge = busy({
    limits: { vsis: 8, filterEntries: 4 },
  });
  grant(bridge, station, 2, 2, 0);
  // neither keep-alives nor their lack are at issue here
  const renew = (now: number) => bridge.associated(vsiId(1), now) && bridge.associated(vsiId(2), now);
  bridge.linkDown(10);
  bridge.linkUp(20);
  const later = 20 + hold;
  renew(later);
  bridge.receive(other.lldp(stationEvb), later);
  assert.deepEqual([neighbour(bridge), held(bridge)], [otherMac, [vsiId(1), vsiId(2)]]);
  // LLDP alone, which any VM can send, costs nobody anything
  assert.deepEqual(
    told(bridge.tick(later + 10)).filter(({ kind }) => kind === 'released'),
    [],
  );
  bridge.receive(other.ecp(1, [asked('associate', vsi(1))]), later + 20);
  assert.deepEqual(held(bridge), [vsiId(1), vsiId(2)]);
  renew(later + 20 + supervision - 1);
  const gone = told(bridge.tick(later + 20 + supervision)).filter((output) => output.kind === 'released');
  assert.deepEqual(gone, [{ kind: 'released', vsiId: vsiId(2), reason: 'station gone' }]);
  assert.deepEqual(held(bridge), [vsiId(1)]);
});

test('what the old station had asked for and was not granted goes at once', () => {
  const bridge = busy();
  const request = told(bridge.receive(station.ecp(2, [asked('associate', vsi(2))]), 5))[0];
  assert.ok(request?.kind === 'request');
  bridge.linkDown(10);
  bridge.linkUp(20);
  const outputs = told(bridge.receive(other.lldp(stationEvb), 20 + hold));
  assert.ok(outputs.some((output) => output.kind === 'released' && output.vsiId === vsiId(2)));
  assert.equal(bridge.awaits(request.token), false);
});

test('`forget` lets the next station have the port and its VSIs at once', () => {
  const bridge = busy();
  bridge.forget(100);
  assert.deepEqual([neighbour(bridge), bridge.station, bridge.trust], [null, null, null]);
  bridge.receive(other.lldp(stationEvb), 110);
  assert.deepEqual([neighbour(bridge), held(bridge)], [otherMac, [vsiId(1)]]);
  grant(bridge, other, 1, 2, 120);
  bridge.receive(other.ecp(2, [asked('associate', vsi(1))]), 130);
  const released = told(bridge.tick(120 + supervision)).filter(({ kind }) => kind === 'released');
  assert.deepEqual(released, [], 'it has adopted them');
});

/** What the agent finds after its restart: the link is up, a VSI in the data plane, and whose place the port was. */
function restarted(before: BridgePort, options: Partial<BridgePortOptions> = {}): BridgePort {
  const bridge = bridgePort({ placeHold: hold, station: before.station!, ...options });
  const { profile, filter } = vsi(1);
  bridge.adopt([{ vsiId: vsiId(1), association: 'associated', profile, filter }], 0);
  return bridge;
}

test('after a restart of the agent the port is still that of the station it was, for the hold time', () => {
  const before = busy();
  const { station: place } = before;
  assert.deepEqual([place?.mac, place?.key], [stationMac, null]);
  before.shutdown(20);
  assert.deepEqual(before.station, place, "the good-bye is the bridge's own");

  const bridge = restarted(before, { secondStation: 'down' });
  bridge.linkUp(0);
  assert.deepEqual([bridge.station, bridge.heldUntil], [place, hold]);
  bridge.receive(other.lldp(freshStationEvb), 10);
  assert.equal(bridge.state().counters.ignored['second speaker'], 1);
  assert.equal(bridge.isDisabled, false, 'whose place it is may be gone');
  assert.deepEqual(sent(bridge.receive(other.ecp(1, [asked('de-associate', vsi(1))]), 20)), []);
  bridge.receive(station.lldp(stationEvb), 30_000);
  assert.equal(neighbour(bridge), stationMac);
  bridge.receive(other.lldp(freshStationEvb), 40_000);
  assert.equal(bridge.isDisabled, true, 'from then on it is as it always is');
});

test('a station that is only remembered loses its place when the hold time is over', () => {
  const bridge = restarted(busy());
  bridge.linkUp(0);
  bridge.receive(other.lldp(freshStationEvb), hold - 1);
  assert.equal(neighbour(bridge), null);
  assert.ok(bridge.tick(hold).some(({ kind }) => kind === 'place'));
  assert.equal(bridge.trust, null);
  const outputs = bridge.receive(other.lldp(freshStationEvb), hold + 1);
  assert.equal(neighbour(bridge), otherMac);
  assert.ok(outputs.some(({ kind }) => kind === 'place'));
  assert.equal(bridge.station?.mac, otherMac);
});

test('with its link down at the start a station keeps its place all the same, as a VSI of its own is held', () => {
  const bridge = restarted(busy());
  bridge.linkDown(0);
  bridge.linkUp(20);
  bridge.receive(other.lldp(freshStationEvb), 30);
  assert.deepEqual([neighbour(bridge), bridge.station?.mac], [null, stationMac]);
});
