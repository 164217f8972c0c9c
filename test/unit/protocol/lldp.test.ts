import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { parseVid } from '../../../src/domain/vid.ts';
import {
  decodeFrame,
  encodeFrame,
  nearestBridge,
  nearestCustomerBridge,
  nearestNonTpmrBridge,
} from '../../../src/protocol/ethernet.ts';
import { etherTypes } from '../../../src/domain/packet-numbers.ts';
import {
  assignChannels,
  cdcpOui,
  cdcpSubtype,
  decodeCdcpTlv,
  defaultChannel,
  encodeCdcpTlv,
  type CdcpTlv,
} from '../../../src/protocol/evb/cdcp.ts';
import { encodeEvbTlv, evbOui, evbSubtype } from '../../../src/protocol/evb/ratified.ts';
import { capabilityBits } from '../../../src/protocol/lldp/capabilities.ts';
import { decodeLldpdu, encodeLldpdu, type LldpTlv } from '../../../src/protocol/lldp/packet.ts';
import { managementIp } from '../../../src/protocol/lldp/management.ts';
import { bridgeMac, bridgePort, stationMac, stationPort, vmMac } from '../../kit/protocol/fixtures.ts';
import { must, Peer, stationEvb, told } from '../../kit/protocol/peer.ts';

function lldp(tlvs: readonly LldpTlv[]): Uint8Array {
  const evb: LldpTlv = {
    kind: 'organizational',
    oui: evbOui,
    subtype: evbSubtype,
    info: encodeEvbTlv(stationEvb),
  };
  const text = (t: string) => new TextEncoder().encode(t);
  return encodeFrame({
    destination: nearestCustomerBridge,
    source: stationMac,
    etherType: etherTypes.lldp,
    payload: encodeLldpdu({
      chassisId: { subtype: 7, id: text('rack 7') },
      portId: { subtype: 5, id: text('ens1f0') },
      ttl: 120,
      tlvs: [evb, ...tlvs],
    }),
  });
}

const address = (subtype: number, octets: number[]): LldpTlv => ({
  kind: 'management address',
  subtype,
  address: Uint8Array.from(octets),
  interfaceSubtype: 2,
  interfaceNumber: 3,
  objectId: new Uint8Array(),
});

test('a neighbour tells its name, what it is and where it is managed', () => {
  const bridge = bridgePort();
  bridge.linkUp(0);
  bridge.receive(
    lldp([
      { kind: 'port description', text: 'uplink' },
      { kind: 'system name', text: 'host1\u001b[2J' },
      { kind: 'system description', text: 'Debian\n12' },
      {
        kind: 'system capabilities',
        system: capabilityBits('bridge', 'station only'),
        enabled: capabilityBits('station only'),
      },
      address(1, [192, 0, 2, 7]),
      address(2, [0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9]),
      address(6, [2, 0, 0, 0, 0, 1]),
      address(16, [1, 2, 3]),
    ]),
    1,
  );
  assert.deepEqual(bridge.state().neighbour, {
    mac: stationMac,
    chassisId: 'rack 7',
    portId: 'ens1f0',
    systemName: 'host1\u{fffd}[2J',
    systemDescription: 'Debian\u{fffd}12',
    portDescription: 'uplink',
    capabilities: ['station only'],
    managementAddresses: ['192.0.2.7', '2001:db8::9', '02:00:00:00:00:01', '0x010203'],
  });
});

test('a management address whose lengths contradict each other is carried as it is', () => {
  for (const info of [
    [],
    [0],
    [1, 1],
    [5, 1, 192, 0, 2],
    [5, 1, 192, 0, 2, 7, 2, 0, 0, 0, 3, 9],
    [40, 1, ...Array.from({ length: 39 }, () => 0), 2, 0, 0, 0, 1, 0],
  ]) {
    const tlv: LldpTlv = { kind: 'other', type: 8, info: Uint8Array.from(info) };
    const { payload } = must(decodeFrame(lldp([tlv])));
    assert.deepEqual(must(decodeLldpdu(payload)).tlvs[1], tlv);
  }
});

test('our own LLDPDU tells who we are, what we do and where we are managed', () => {
  const tlvsOf = (port: ReturnType<typeof bridgePort> | ReturnType<typeof stationPort>) => {
    const [output] = port.linkUp(0);
    assert.ok(output?.kind === 'send');
    const { ttl, chassisId, portId, tlvs } = must(decodeLldpdu(must(decodeFrame(output.frame)).payload));
    assert.equal(ttl, 121, 'four intervals and a second');
    assert.deepEqual([chassisId.subtype, portId.subtype], [4, 5]);
    return tlvs.filter(({ kind }) => kind !== 'organizational');
  };
  const does = (bits: number) => ({ kind: 'system capabilities', system: bits, enabled: bits });
  const managed = (subtype: number, octets: number[]) => ({
    ...address(subtype, octets),
    interfaceSubtype: 1,
    interfaceNumber: 0,
  });
  assert.deepEqual(tlvsOf(bridgePort()), [
    { kind: 'system name', text: 'leaf1' },
    { kind: 'system description', text: 'Hairpin' },
    does(capabilityBits('bridge')),
    managed(6, [2, 0, 0, 0, 0, 2]),
  ]);
  const managementAddresses = [managementIp('192.0.2.7'), managementIp('2001:db8::9')];
  assert.deepEqual(tlvsOf(stationPort({ managementAddresses })).slice(2), [
    does(capabilityBits('station only')),
    managed(1, [192, 0, 2, 7]),
    managed(2, [0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9]),
  ]);
});

test('TLVs that nobody knows are carried, and take nothing away', () => {
  const strange: LldpTlv[] = [
    { kind: 'other', type: 100, info: Uint8Array.of(1, 2, 3) },
    { kind: 'organizational', oui: 0x123456, subtype: 7, info: Uint8Array.of(4) },
    { kind: 'other', type: 127, info: Uint8Array.of(0, 0x80) },
  ];
  const frame = lldp([...strange, { kind: 'system name', text: 'host1' }]);
  assert.deepEqual(must(decodeLldpdu(must(decodeFrame(frame)).payload)).tlvs.slice(1, 4), strange);
  const bridge = bridgePort();
  bridge.linkUp(0);
  bridge.receive(frame, 1);
  assert.equal(bridge.state().neighbour?.systemName, 'host1');
});

/** Another system at the bridge's link, who speaks to the nearest bridge. */
const [host, switch1] = [new Peer(stationMac), new Peer(vmMac(9))];
const toNearest = (more: readonly LldpTlv[] = []) => ({ destination: nearestBridge, tlvs: more });

test('who speaks to the nearest bridge is listened to: new, changed, gone, each told once', () => {
  const bridge = bridgePort();
  bridge.linkUp(0);
  const changes = (outputs: ReturnType<typeof bridge.receive>) =>
    told(outputs).map((output) => output.kind === 'other neighbour' && output.change);
  const name: LldpTlv = { kind: 'system name', text: 'tor1' };
  const hear = (ttl: number, tlvs: LldpTlv[], now: number) =>
    changes(bridge.receive(switch1.lldp(null, ttl, 'tor1', toNearest(tlvs)), now));
  assert.deepEqual(hear(10, [], 1_000), ['new']);
  assert.deepEqual(hear(10, [], 2_000), [], 'a repeat is no news');
  assert.deepEqual(hear(10, [name], 3_000), ['changed']);
  assert.deepEqual(
    bridge.state().otherNeighbours.map(({ agent, systemName, mac }) => [agent, systemName, mac]),
    [['nearest bridge', 'tor1', vmMac(9)]],
  );
  assert.deepEqual(changes(bridge.tick(12_999)), []);
  assert.deepEqual(changes(bridge.tick(13_000)), ['gone'], 'its last TTL is over');
  assert.deepEqual(hear(10, [name], 14_000), ['new']);
  assert.deepEqual(hear(0, [], 15_000), ['gone'], 'it says good-bye');
  assert.deepEqual(hear(10, [name], 16_000), ['new']);
  assert.deepEqual(changes(bridge.linkDown(17_000)), ['gone']);
  assert.equal(bridge.state().otherNeighbours.length, 0);
});

test('the machine wakes when the next of them is due', () => {
  const bridge = bridgePort();
  bridge.linkUp(0);
  for (let now = 0; now <= 5_000; now += 1_000) bridge.tick(now);
  bridge.receive(switch1.lldp(null, 20, 'a', toNearest()), 6_000);
  bridge.receive(switch1.lldp(null, 10, 'b', toNearest()), 7_000);
  assert.equal(bridge.deadline(), 17_000);
});

test('none of them is a station, and none takes the place of one', () => {
  const bridge = bridgePort();
  bridge.linkUp(0);
  bridge.receive(host.lldp(stationEvb, 121, 'host1', toNearest()), 1);
  assert.equal(bridge.state().neighbour, null);
  assert.equal(bridge.state().evb.negotiated, false);
  bridge.receive(host.lldp(stationEvb), 2);
  bridge.receive(host.lldp(null, 0, 'host1', toNearest()), 3);
  const evil = new Peer(vmMac(1));
  bridge.receive(evil.lldp(stationEvb, 121, 'evil', { destination: nearestNonTpmrBridge }), 4);
  const { neighbour, evb, otherNeighbours, secondStation } = bridge.state();
  assert.deepEqual([neighbour?.mac, evb.negotiated, secondStation], [stationMac, true, null]);
  assert.deepEqual(
    otherNeighbours.map(({ agent, chassisId }) => [agent, chassisId]),
    [['nearest non-TPMR bridge', 'evil']],
  );
});

test('so many of them are remembered and no more; the rest is counted, and so is what comes too often', () => {
  const bridge = bridgePort({ otherNeighbours: 2, isVsiAddress: (mac) => mac === vmMac(1) });
  bridge.linkUp(0);
  for (const chassis of ['a', 'b', 'c', 'd'])
    bridge.receive(switch1.lldp(null, 100, chassis, toNearest()), 1_000);
  bridge.receive(new Peer(vmMac(1)).lldp(null, 100, 'e', toNearest()), 1_000);
  bridge.receive(new Peer(bridgeMac).lldp(null, 100, 'f', toNearest()), 1_000);
  bridge.receive(switch1.raw(etherTypes.lldp, Uint8Array.of(2, 1)), 1_000);
  assert.deepEqual(
    bridge.state().otherNeighbours.map(({ chassisId }) => chassisId),
    ['a', 'b'],
  );
  for (let i = 0; i < 100; i++) bridge.receive(switch1.lldp(null, 100, 'a', toNearest()), 1_000);
  const { ignored } = bridge.state().counters;
  assert.deepEqual(ignored, {
    'too many neighbours': 2,
    'VSI address': 1,
    'own frame': 1,
    malformed: 1,
    'rate limit': 54,
  });
});

const channel = fc.record(
  { scid: fc.integer({ min: 0, max: 4095 }), svid: fc.integer({ min: 0, max: 4095 }) },
  { noNullPrototype: true },
);
const cdcp = fc.record<CdcpTlv>(
  {
    role: fc.constantFrom('bridge' as const, 'station' as const),
    sComponent: fc.boolean(),
    capacity: fc.integer({ min: 0, max: 4095 }),
    channels: fc.array(channel, { maxLength: 167 }),
  },
  { noNullPrototype: true },
);

test('a CDCP TLV survives encoding; one whose length does not fit is refused', () => {
  fc.assert(
    fc.property(cdcp, (tlv) => {
      const info = encodeCdcpTlv(tlv);
      assert.equal(info.length, 4 + 3 * tlv.channels.length);
      assert.deepEqual(must(decodeCdcpTlv(info)), tlv);
    }),
  );
  for (const length of [0, 3, 5, 6, 8, 504]) assert.ok(!decodeCdcpTlv(new Uint8Array(length)).ok);
});

test('the octets of a CDCP TLV', () => {
  const tlv: CdcpTlv = {
    role: 'station',
    sComponent: true,
    capacity: 0x123,
    channels: [defaultChannel, { scid: 2, svid: 0 }],
  };
  assert.deepEqual([...encodeCdcpTlv(tlv)], [0x88, 0, 0x01, 0x23, 0, 0x10, 1, 0, 0x20, 0]);
});

const asked = (...scids: number[]): CdcpTlv => ({
  role: 'station',
  sComponent: true,
  capacity: 8,
  channels: [defaultChannel, ...scids.map((scid) => ({ scid, svid: 0 }))],
});
const svids = [100, 101, 102].map(parseVid);

test('channels get S-VLANs from the pool, keep them, and give them back', () => {
  const first = assignChannels(asked(2, 3), { capacity: 4, svids }, []);
  assert.deepEqual(first.channels, [defaultChannel, { scid: 2, svid: 100 }, { scid: 3, svid: 101 }]);
  const second = assignChannels(asked(3, 4), { capacity: 4, svids }, first.channels);
  assert.deepEqual(second.channels, [defaultChannel, { scid: 3, svid: 101 }, { scid: 4, svid: 100 }]);
});

test('whatever is asked: the default channel first, no S-VLAN twice, none from outside, no more than there may be', () => {
  fc.assert(
    fc.property(
      cdcp,
      fc.integer({ min: 1, max: 6 }),
      fc.array(cdcp, { maxLength: 4 }),
      (ask, capacity, more) => {
        let before = assignChannels(ask, { capacity, svids }, []).channels;
        for (const next of more) {
          const { channels } = assignChannels(next, { capacity, svids }, before);
          assert.deepEqual(channels[0], defaultChannel);
          const given = channels.slice(1).map(({ svid }) => svid);
          assert.equal(new Set(given).size, given.length);
          assert.ok(given.every((svid) => (svids as number[]).includes(svid)));
          assert.ok(channels.length <= capacity);
          before = channels;
        }
      },
    ),
  );
});

test('a station that asks for S-channels gets the default channel by LLDP; one that does not, nothing', () => {
  const bridge = bridgePort();
  bridge.linkUp(0);
  const answerTo = (tlvs: LldpTlv[], now: number) => {
    for (const output of bridge.receive(lldp(tlvs), now))
      if (output.kind === 'send') {
        const sent = must(decodeLldpdu(must(decodeFrame(output.frame)).payload)).tlvs.find(
          (tlv) => tlv.kind === 'organizational' && tlv.oui === cdcpOui && tlv.subtype === cdcpSubtype,
        );
        return sent?.kind === 'organizational' ? must(decodeCdcpTlv(sent.info)) : null;
      }
    return 'nothing sent';
  };
  assert.equal(answerTo([], 1), null);
  const info = encodeCdcpTlv(asked(2, 3));
  const request: LldpTlv = { kind: 'organizational', oui: cdcpOui, subtype: cdcpSubtype, info };
  assert.deepEqual(answerTo([request], 2_000), {
    role: 'bridge',
    sComponent: false,
    capacity: 1,
    channels: [defaultChannel],
  });
  assert.deepEqual(bridge.state().sChannels, [defaultChannel]);
});
