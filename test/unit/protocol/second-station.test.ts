import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseMac } from '../../../src/domain/mac-address.ts';
import type { BridgePort, BridgePortOptions } from '../../../src/protocol/bridge-port.ts';
import { nearestBridge } from '../../../src/protocol/ethernet.ts';
import { bridgePort, pass, stationMac, vmMac, vsi, vsiId } from './fixtures.ts';
import { asked, freshStationEvb, Peer, sent, stationEvb, told } from './peer.ts';

const station = new Peer(stationMac);
const otherMac = parseMac('02:00:00:00:00:09');
const other = new Peer(otherMac);
const name = [{ kind: 'system name', text: 'evil' }] as const;

/** A port whose station has one VSI, and asks for another. */
function busy(options: Partial<BridgePortOptions> = {}): { bridge: BridgePort; pending: number } {
  const bridge = bridgePort(options);
  bridge.linkUp(0);
  bridge.receive(station.lldp(stationEvb), 0);
  const tokens = [1, 2].map((n) => {
    const outputs = bridge.receive(station.ecp(n, [asked('associate', vsi(n))]), n);
    const request = outputs.find((output) => output.kind === 'request');
    assert.ok(request?.kind === 'request');
    return request.token;
  });
  bridge.answer(tokens[0]!, { kind: 'accept' }, 10);
  return { bridge, pending: tokens[1]! };
}

test('a second station is an event, and by default it is ignored', () => {
  const { bridge } = busy();
  const outputs = told(bridge.receive(other.lldp(freshStationEvb, 121, 'host1', { tlvs: name }), 20));
  assert.deepEqual(outputs, [{ kind: 'ignored', reason: 'second speaker', detail: `${otherMac}, evil` }]);
  const { neighbour, vsis, secondStation, counters } = bridge.state();
  assert.deepEqual([neighbour?.mac, vsis.length], [stationMac, 1]);
  assert.deepEqual(secondStation, { mac: otherMac, systemName: 'evil', at: 20, portDown: false });
  assert.equal(counters.ignored['second speaker'], 1);
  assert.deepEqual(sent(bridge.receive(other.ecp(1, [asked('associate', vsi(3))]), 30)), []);
});

test('with the policy "down" all is let go of, and nothing is accepted until the link was down', () => {
  const { bridge, pending } = busy({ secondStation: 'down' });
  const outputs = bridge.receive(other.lldp(freshStationEvb), 20);
  assert.deepEqual(sent(outputs), [{ lldp: { ttl: 0, evb: null } }]);
  const released = told(outputs).filter((output) => output.kind === 'released');
  assert.deepEqual(
    released.map(({ vsiId, reason }) => [vsiId, reason]),
    [1, 2].map((n) => [vsiId(n), 'second station']),
  );
  const by = { mac: otherMac, systemName: null, at: 20, portDown: true };
  assert.deepEqual(told(outputs).at(-1), { kind: 'disabled', by });
  assert.deepEqual([bridge.isDisabled, bridge.awaits(pending), bridge.deadline()], [true, false, null]);
  const { link, neighbour, vsis, evb } = bridge.state();
  assert.deepEqual([link, neighbour, vsis, evb.negotiated], ['down', null, [], false]);

  // The first as little as the second, and not because somebody says "up" once more.
  assert.deepEqual(bridge.linkUp(30), []);
  for (const frame of [station.lldp(stationEvb), other.lldp(freshStationEvb), station.ecp(3, [])])
    assert.deepEqual(sent(bridge.receive(frame, 2_000)), []);
  assert.equal(bridge.state().counters.ignored['port disabled'], 3);
  assert.equal(bridge.state().neighbour, null);

  bridge.linkDown(3_000);
  bridge.linkUp(3_010);
  bridge.receive(station.lldp(stationEvb), 3_020);
  assert.equal(bridge.state().neighbour?.mac, stationMac);
  assert.equal(bridge.state().secondStation, null);
  assert.equal(told(bridge.receive(station.ecp(4, [asked('associate', vsi(1))]), 3_030))[0]?.kind, 'request');
});

test("neither a VM's address, nor LLDP without EVB, nor another address's LLDP, nor a good-bye is a second station", () => {
  const { bridge } = busy({ secondStation: 'down', isVsiAddress: (mac) => mac === vmMac(1) });
  for (const frame of [
    new Peer(vmMac(1)).lldp(freshStationEvb),
    other.lldp(null),
    other.lldp({ ...stationEvb, mode: 'bridge' }),
    other.lldp(freshStationEvb, 121, 'host9', { destination: nearestBridge }),
    other.lldp(freshStationEvb, 0),
    other.raw(0x88cc, Uint8Array.of(1, 2, 3)),
  ])
    bridge.receive(frame, 20);
  assert.equal(bridge.isDisabled, false);
  assert.equal(bridge.state().secondStation, null);
  assert.equal(bridge.state().vsis.length, 1);
});

test('a station that fell silent keeps its place until the link was down or it says good-bye', () => {
  for (const [free, freed] of [
    [() => [], false],
    [(bridge: BridgePort) => [bridge.linkDown(200_000), bridge.linkUp(200_001)], true],
    [(bridge: BridgePort) => bridge.receive(station.lldp(null, 0), 200_000), true],
  ] as const) {
    const { bridge } = busy();
    pass(bridge, 20, 130_000);
    assert.equal(bridge.state().neighbour, null, 'its TTL is over');
    free(bridge);
    bridge.receive(other.lldp(freshStationEvb), 200_002);
    assert.equal(bridge.state().neighbour?.mac, freed ? otherMac : undefined);
    if (freed) continue;
    bridge.receive(station.lldp(stationEvb), 200_003);
    assert.equal(bridge.state().neighbour?.mac, stationMac);
  }
});

/** What the agent finds after its restart: the link is up, a VSI in the data plane, and a station's address. */
function restarted(options: Partial<BridgePortOptions> = {}): BridgePort {
  const bridge = bridgePort({ station: stationMac, ...options });
  const { profile, filter } = vsi(1);
  bridge.adopt([{ vsiId: vsiId(1), association: 'associated', profile, filter }], 0);
  bridge.linkUp(0);
  return bridge;
}

test('after a restart of the agent the port is still that of the station it was', () => {
  const { bridge: before } = busy();
  assert.equal(before.station, stationMac);
  before.shutdown(20);
  assert.equal(before.station, stationMac, "the good-bye is the bridge's own");

  const bridge = restarted({ secondStation: 'down' });
  const [ignored] = told(bridge.receive(other.lldp(freshStationEvb), 10));
  assert.equal(ignored?.kind === 'ignored' && ignored.reason, 'second speaker');
  assert.equal(bridge.isDisabled, false, 'whose place it is may be gone');
  assert.deepEqual(sent(bridge.receive(other.ecp(1, [asked('de-associate', vsi(1))]), 20)), []);
  bridge.receive(station.lldp(stationEvb), 30_000);
  assert.equal(bridge.state().neighbour?.mac, stationMac);
  const renewed = told(bridge.receive(station.ecp(1, [asked('associate', vsi(1))]), 30_010));
  assert.deepEqual(renewed, [{ kind: 'renewed', vsiId: vsiId(1) }]);
  bridge.receive(other.lldp(freshStationEvb), 40_000);
  assert.equal(bridge.isDisabled, true, 'from then on it is as it always is');
  assert.equal(bridge.station, stationMac);
});

test('a station that is only remembered has its place for a TTL, until the link was down or it says good-bye', () => {
  const nobody = { kind: 'neighbour', neighbour: null };
  const away = restarted();
  assert.equal(away.station, stationMac);
  away.receive(other.lldp(freshStationEvb), 119_000);
  away.tick(120_999);
  assert.equal(away.station, stationMac);
  assert.equal(away.deadline(), 121_000);
  assert.deepEqual(told(away.tick(121_000)).slice(-1), [nobody]);
  assert.equal(away.station, null);

  const left = restarted();
  assert.deepEqual(told(left.receive(station.lldp(null, 0), 10)), [nobody]);
  const unplugged = restarted();
  unplugged.linkDown(10);
  unplugged.linkUp(20);
  const elsewhere = bridgePort({ station: stationMac });
  elsewhere.linkDown(0);
  elsewhere.linkUp(20);
  for (const bridge of [left, unplugged, elsewhere]) {
    assert.equal(bridge.station, null);
    bridge.receive(other.lldp(freshStationEvb), 30);
    assert.deepEqual([bridge.station, bridge.state().neighbour?.mac], [otherMac, otherMac]);
    assert.deepEqual(bridge.state().vsis, [], "the first one's VSIs are not the second's");
  }
});

test('second stations without end cost a bounded part of what LLDPDUs are looked into', () => {
  const { bridge } = busy();
  for (let i = 0; i < 1_000; i++) bridge.receive(other.lldp(freshStationEvb), 20);
  assert.deepEqual(bridge.state().counters.ignored, { 'second speaker': 50, 'rate limit': 950 });
  bridge.receive(station.lldp(freshStationEvb), 21);
  assert.equal(bridge.state().counters.lldp.received, 2, "the station's own are not counted with them");
});
