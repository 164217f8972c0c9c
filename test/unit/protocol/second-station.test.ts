import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseMac } from '../../../src/domain/mac-address.ts';
import type { BridgePort, BridgePortOptions } from '../../../src/protocol/bridge-port.ts';
import { nearestBridge } from '../../../src/protocol/ethernet.ts';
import { bridgePort, stationMac, vmMac, vsi, vsiId } from '../../kit/protocol/fixtures.ts';
import { asked, freshStationEvb, Peer, sent, stationEvb, told } from '../../kit/protocol/peer.ts';

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

test('second stations without end cost a bounded part of what LLDPDUs are looked into', () => {
  const { bridge } = busy();
  for (let i = 0; i < 1_000; i++) bridge.receive(other.lldp(freshStationEvb), 20);
  assert.deepEqual(bridge.state().counters.ignored, { 'second speaker': 50, 'rate limit': 950 });
  bridge.receive(station.lldp(freshStationEvb), 21);
  assert.equal(bridge.state().counters.lldp.received, 2, "the station's own are not counted with them");
});
