import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { parseVid } from '../../../src/domain/vid.ts';
import {
  decodeFrame,
  encodeFrame,
  etherTypes,
  nearestCustomerBridge,
} from '../../../src/protocol/ethernet.ts';
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
import { bridgePort, stationMac } from './fixtures.ts';
import { must, stationEvb } from './peer.ts';

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
      { kind: 'system name', text: 'host1' },
      { kind: 'system description', text: 'Debian 12' },
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
    systemName: 'host1',
    systemDescription: 'Debian 12',
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
