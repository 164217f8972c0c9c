import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import type { MacAddress } from '../../../src/domain/mac-address.ts';
import { parseManagerId } from '../../../src/domain/manager-id.ts';
import type { BridgePort } from '../../../src/protocol/bridge-port.ts';
import { decodeDraftEcpdu, draftVdpSubtype, encodeDraftEcpdu } from '../../../src/protocol/ecp/draft.ts';
import {
  decodeFrame,
  encodeFrame,
  nearestBridge,
  nearestCustomerBridge,
} from '../../../src/protocol/ethernet.ts';
import { etherTypes } from '../../../src/domain/packet-numbers.ts';
import {
  decodeDraftEvbTlv,
  draftEvbSubtype,
  draftOui,
  encodeDraftEvbTlv,
  type DraftEvbTlv,
} from '../../../src/protocol/evb/draft.ts';
import type { DialectName } from '../../../src/domain/dialect.ts';
import { encodeEvbTlv, evbOui, evbSubtype } from '../../../src/protocol/evb/ratified.ts';
import { decodeLldpdu, encodeLldpdu, type LldpTlv } from '../../../src/protocol/lldp/packet.ts';
import { encodeTlvs } from '../../../src/protocol/tlv.ts';
import { vdpErrorCodes, type VdpErrorCode } from '../../../src/protocol/vdp/association.ts';
import { decodeDraftVdp, encodeDraftVdp } from '../../../src/protocol/vdp/draft.ts';
import type { AssociationTlv, VdpTlv } from '../../../src/protocol/vdp/tlv.ts';
import {
  bridgeMac,
  bridgePort,
  evb,
  filled,
  stationMac,
  stationPort,
  vsi,
  vsiId,
} from '../../kit/protocol/fixtures.ts';
import { asked, must, stationEvb, told } from '../../kit/protocol/peer.ts';

const managerId = parseManagerId('0x0c');
const ref = { managerId, typeId: 17, typeVersion: 1 };
const accept = { kind: 'accept' } as const;
const all = { rte: true, ecp: true, vdp: true };

/** As lldpad's, before and after it has heard a bridge. */
const fresh: DraftEvbTlv = {
  supported: { standard: false, reflectiveRelay: true, capabilities: all, vsis: 0 },
  current: {
    standard: false,
    reflectiveRelay: true,
    capabilities: { rte: false, ecp: false, vdp: false },
    vsis: 0,
  },
  rte: 15,
};
const agreed: DraftEvbTlv = { ...fresh, current: { ...fresh.current, capabilities: all } };

function draftVsi(n: number, vid = 100) {
  return { ...vsi(n, vid), profile: ref };
}

function frame(source: MacAddress, destination: MacAddress, etherType: number, payload: Uint8Array) {
  return encodeFrame({ source, destination, etherType, payload });
}

function lldp(source: MacAddress, tlv: DraftEvbTlv, more: LldpTlv[] = []): Uint8Array {
  const info = encodeDraftEvbTlv(tlv);
  return frame(
    source,
    nearestCustomerBridge,
    etherTypes.lldp,
    encodeLldpdu({
      chassisId: { subtype: 4, id: Uint8Array.of(2, 0, 0, 0, 0, 1) },
      portId: { subtype: 3, id: Uint8Array.of(2, 0, 0, 0, 0, 1) },
      ttl: 120,
      tlvs: [{ kind: 'organizational', oui: draftOui, subtype: draftEvbSubtype, info }, ...more],
    }),
  );
}

function ecp(source: MacAddress, sequence: number, tlvs: readonly AssociationTlv[] | null): Uint8Array {
  return frame(
    source,
    nearestBridge,
    etherTypes.draftEcp,
    encodeDraftEcpdu({
      operation: tlvs ? 'request' : 'acknowledgement',
      subtype: draftVdpSubtype,
      sequence,
      payload: tlvs ? encodeTlvs(tlvs.map((tlv) => encodeDraftVdp(tlv)!)) : new Uint8Array(),
    }),
  );
}

type Seen = { evb: DraftEvbTlv } | { ack: number } | { seq: number; tlvs: readonly VdpTlv[] };

function sent(outputs: readonly { readonly kind: string }[], reader: 'bridge' | 'station'): Seen[] {
  return outputs.flatMap((output): Seen[] => {
    if (!('frame' in output)) return [];
    const { destination, etherType, payload } = must(decodeFrame(output.frame as Uint8Array));
    if (etherType === etherTypes.lldp) {
      const tlv = must(decodeLldpdu(payload)).tlvs.find(
        (tlv) => tlv.kind === 'organizational' && tlv.oui === draftOui,
      );
      return tlv?.kind === 'organizational' ? [{ evb: must(decodeDraftEvbTlv(tlv.info)) }] : [];
    }
    assert.deepEqual([destination, etherType], [nearestBridge, etherTypes.draftEcp]);
    const ecpdu = must(decodeDraftEcpdu(payload));
    if (ecpdu.operation === 'acknowledgement') return [{ ack: ecpdu.sequence }];
    return [{ seq: ecpdu.sequence, tlvs: must(decodeDraftVdp(reader, ecpdu.payload)) }];
  });
}

const heard = (outputs: Parameters<typeof told>[0]) => sent(outputs, 'station');

/** A bridge whose station speaks the draft, and nothing left to say by LLDP for a while. */
function connected(dialects?: readonly DialectName[]): BridgePort {
  const bridge = bridgePort({ evb: dialects ? { ...evb, dialects } : evb });
  bridge.linkUp(0);
  bridge.receive(lldp(stationMac, fresh), 0);
  bridge.receive(lldp(stationMac, agreed), 10);
  for (let now = 1_000; now <= 9_000; now += 1_000) bridge.tick(now);
  return bridge;
}

function tokenIn(outputs: ReturnType<BridgePort['receive']>): number {
  const request = outputs.find((output) => output.kind === 'request');
  assert.ok(request?.kind === 'request');
  return request.token;
}

function associate(bridge: BridgePort, n: number, seq: number, now: number): void {
  const token = tokenIn(bridge.receive(ecp(stationMac, seq, [asked('associate', draftVsi(n))]), now));
  const [answer] = heard(bridge.answer(token, accept, now));
  assert.ok(answer && 'seq' in answer);
  bridge.receive(ecp(stationMac, answer.seq, null), now);
}

function pass(bridge: BridgePort, from: number, to: number) {
  const seen: { at: number; output: ReturnType<BridgePort['tick']>[number] }[] = [];
  for (let now = from; ;) {
    const deadline = bridge.deadline();
    if (deadline === null || deadline > to) return seen;
    now = Math.max(now, deadline);
    for (const output of bridge.tick(now)) seen.push({ at: now, output });
  }
}

test('the bridge answers in the version that the station speaks, and offers the ones it is told to', () => {
  const state = connected().state();
  assert.equal(state.evb.dialect, 'draft');
  assert.equal(state.evb.reflectiveRelay, true);
  assert.equal(state.evb.timers, null);
  for (const dialects of [['ratified'], ['draft'], ['ratified', 'draft']] as const) {
    const bridge = bridgePort({ evb: { ...evb, dialects } });
    const [output] = bridge.linkUp(0);
    assert.ok(output?.kind === 'send');
    const { tlvs } = must(decodeLldpdu(must(decodeFrame(output.frame)).payload));
    const ouis = tlvs.flatMap((tlv) => (tlv.kind === 'organizational' ? [tlv.oui] : []));
    assert.deepEqual(
      ouis,
      dialects.map((name) => (name === 'ratified' ? evbOui : draftOui)),
    );
    bridge.receive(lldp(stationMac, fresh), 1);
    assert.equal(bridge.state().neighbour !== null, (dialects as readonly string[]).includes('draft'));
  }
});

test('a station that speaks both is answered in the ratified version', () => {
  const bridge = bridgePort();
  bridge.linkUp(0);
  const info = encodeEvbTlv(stationEvb);
  bridge.receive(
    lldp(stationMac, agreed, [{ kind: 'organizational', oui: evbOui, subtype: evbSubtype, info }]),
    1,
  );
  assert.equal(bridge.state().evb.dialect, 'ratified');
  const outputs = told(bridge.receive(ecp(stationMac, 1, [asked('associate', draftVsi(1))]), 2));
  assert.deepEqual(
    outputs.map((output) => output.kind === 'ignored' && output.reason),
    ['other dialect'],
  );
});

test('current is what both support: reflective relay if the bridge is capable and the station asks', () => {
  for (const [capable, asks] of [
    [true, true],
    [true, false],
    [false, true],
  ] as const) {
    const bridge = bridgePort({ evb: { ...evb, reflectiveRelay: capable } });
    bridge.linkUp(0);
    const tlv = {
      ...fresh,
      supported: { ...fresh.supported, standard: !asks, reflectiveRelay: asks },
    };
    const [answer] = heard(bridge.receive(lldp(stationMac, tlv), 1));
    assert.ok(answer && 'evb' in answer);
    assert.deepEqual(answer.evb.supported, {
      standard: true,
      reflectiveRelay: capable,
      capabilities: all,
      vsis: 1024,
    });
    assert.deepEqual(answer.evb.current, {
      standard: !(capable && asks),
      reflectiveRelay: capable && asks,
      capabilities: all,
      vsis: 0,
    });
  }
});

test('without ECP and VDP on the other side nothing is negotiated', () => {
  const bridge = bridgePort();
  bridge.linkUp(0);
  const capabilities = { rte: true, ecp: false, vdp: false };
  bridge.receive(lldp(stationMac, { ...fresh, supported: { ...fresh.supported, capabilities } }), 1);
  assert.equal(bridge.state().evb.negotiated, false);
});

test('an answer is the same TLV in a request of the bridge, with VID 0 replaced', () => {
  const bridge = connected();
  const description = draftVsi(1, 0);
  const outputs = bridge.receive(ecp(stationMac, 7, [asked('pre-associate-rr', description)]), 10_000);
  assert.deepEqual(heard(outputs), [{ ack: 7 }]);
  const filter = filled(description.filter, 42);
  assert.deepEqual(heard(bridge.answer(tokenIn(outputs), { kind: 'accept', filter }, 10_000)), [
    {
      seq: 1,
      tlvs: [
        {
          kind: 'answer',
          mode: 'pre-associate-rr',
          vsiId: vsiId(1),
          profile: ref,
          filter,
          refusal: null,
        },
      ],
    },
  ]);
});

test('what is not acknowledged is sent three times in all, each with a number of its own; a late word counts', () => {
  const bridge = connected();
  const token = tokenIn(bridge.receive(ecp(stationMac, 1, [asked('associate', draftVsi(1))]), 10_000));
  const [first] = heard(bridge.answer(token, accept, 10_000));
  const repeats = pass(bridge, 10_000, 11_499).flatMap(({ at, output }) =>
    heard([output]).map((seen) => ({ at, seen })),
  );
  assert.deepEqual(
    repeats.map(({ at, seen }) => [at, 'seq' in seen && seen.seq]),
    [
      [10_500, 2],
      [11_000, 3],
    ],
  );
  assert.ok(first && 'seq' in first && first.seq === 1);
  const { txFrameCount, txRetryCount, txFailures } = bridge.state().counters.ecp;
  assert.deepEqual([txFrameCount, txRetryCount, txFailures], [1, 2, 0]);
  bridge.receive(ecp(stationMac, 1, null), 11_400);
  assert.deepEqual(pass(bridge, 11_400, 20_000), [], 'the acknowledgement of the first sending was enough');
});

test('a refusal leaves the station with nothing, and so the bridge', () => {
  const expected: Record<VdpErrorCode, VdpErrorCode> = {
    'invalid format': 'invalid format',
    'insufficient resources': 'insufficient resources',
    'unable to contact VSI manager': 'insufficient resources',
    'other failure': 'other failure',
    'invalid VID, GroupID or MAC address': 'invalid format',
  };
  for (const code of vdpErrorCodes) {
    if (code === 'success') continue;
    const bridge = connected();
    associate(bridge, 1, 1, 10_000);
    const token = tokenIn(bridge.receive(ecp(stationMac, 2, [asked('pre-associate', draftVsi(1))]), 10_100));
    const outputs = bridge.answer(token, { kind: 'refuse', code, keep: true, reason: 'no' }, 10_100);
    assert.deepEqual(told(outputs), [{ kind: 'released', vsiId: vsiId(1), reason: 'refused' }]);
    const [answer] = heard(outputs);
    assert.ok(answer && 'seq' in answer && answer.tlvs[0]?.kind === 'answer');
    assert.deepEqual(answer.tlvs[0].refusal, { code: expected[code], keep: false, hard: false });
  }
});

test('keep-alives every 10 s are answered; without them the bridge lets go and says so', () => {
  const bridge = connected();
  associate(bridge, 1, 1, 10_000);
  const renewed = told(bridge.receive(ecp(stationMac, 2, [asked('associate', draftVsi(1))]), 20_000));
  assert.deepEqual(renewed, [{ kind: 'renewed', vsiId: vsiId(1) }]);
  bridge.receive(ecp(stationMac, 2, null), 20_001);
  const seen = pass(bridge, 20_000, 42_000).map(({ output }) => output);
  assert.deepEqual(told(seen), [{ kind: 'released', vsiId: vsiId(1), reason: 'keep-alive expired' }]);
  const frames = heard(seen).filter((frame) => 'seq' in frame);
  assert.equal(frames.at(-1)?.tlvs[0]?.kind, 'request', 'a de-associate');
});

test('lldpad repeats a request until it has heard the answer: one on its way is enough, and more undo things', () => {
  const bridge = connected();
  const first = tokenIn(bridge.receive(ecp(stationMac, 1, [asked('associate', draftVsi(1))]), 10_000));
  bridge.answer(first, accept, 10_000);
  const again = (sequence: number, mode: 'associate' | 'de-associate', now: number) =>
    heard(bridge.receive(ecp(stationMac, sequence, [asked(mode, draftVsi(1))]), now)).map((frame) =>
      'ack' in frame ? 'ack' : 'answer',
    );
  assert.deepEqual(again(2, 'associate', 10_100), ['ack']);
  bridge.receive(ecp(stationMac, 1, null), 10_200);
  assert.deepEqual(again(3, 'associate', 10_210), ['ack', 'answer'], 'acknowledged, and yet not heard');
  bridge.receive(ecp(stationMac, 2, null), 10_600);
  assert.deepEqual(again(4, 'de-associate', 10_700), ['ack', 'answer']);
  bridge.receive(ecp(stationMac, 3, null), 10_700);
  assert.deepEqual(again(5, 'de-associate', 10_800), ['ack']);
  const token = tokenIn(bridge.receive(ecp(stationMac, 6, [asked('associate', draftVsi(1))]), 10_900));
  assert.equal(heard(bridge.answer(token, accept, 10_900)).length, 1, 'what is asked for anew is no repeat');
});

test('what was refused is not decided on again while lldpad repeats it and the refusal is on its way', () => {
  const bridge = connected();
  const ask = (sequence: number, mode: 'associate' | 'pre-associate', now: number) =>
    bridge
      .receive(ecp(stationMac, sequence, [asked(mode, draftVsi(1))]), now)
      .flatMap((output) => (output.kind === 'request' ? [output.token] : []));
  const [token] = ask(1, 'associate', 10_000);
  const refusal = { kind: 'refuse', code: 'other failure', reason: 'no' } as const;
  const [answer] = heard(bridge.answer(token!, refusal, 10_000));
  assert.ok(answer && 'seq' in answer);
  assert.deepEqual(ask(2, 'associate', 10_010), []);
  assert.equal(bridge.state().counters.vdp.commandsFailed, 1);
  bridge.receive(ecp(stationMac, answer.seq, null), 10_020);
  assert.equal(ask(3, 'associate', 10_030).length, 1, 'acknowledged, and asked for anew');
  const [other] = ask(4, 'pre-associate', 10_040);
  bridge.answer(other!, refusal, 10_040);
  assert.equal(ask(5, 'associate', 10_050).length, 1, 'another request than the refused one');
  assert.equal(ask(6, 'pre-associate', 10_060).length, 1, 'whose refusal is not said any more');
});

test('of what was answered so much is remembered, and no more, whatever a station lets go of', () => {
  const bridge = bridgePort({ limits: { vsis: 1, filterEntries: 1 } });
  bridge.linkUp(0);
  bridge.receive(lldp(stationMac, agreed), 10);
  let sequence = 0;
  const letGo = (n: number) => {
    const outputs = bridge.receive(ecp(stationMac, ++sequence, [asked('de-associate', draftVsi(n))]), 20);
    const answered = bridge.state().counters.vdp.commandsSucceeded;
    for (const frame of [...heard(outputs), ...heard(bridge.tick(24))])
      if ('seq' in frame) bridge.receive(ecp(stationMac, frame.seq, null), 20);
    return answered;
  };
  assert.deepEqual([1, 2, 3, 4, 5].map(letGo), [1, 2, 3, 4, 5]);
  assert.equal(letGo(5), 5, 'a repeat');
  assert.equal(letGo(1), 6, 'longer ago than four others');
});

test("other formats than the draft's are refused with their own octets", () => {
  const bridge = connected();
  const tlv = encodeDraftVdp(asked('associate', draftVsi(1)))!;
  const info = Uint8Array.from(tlv.info);
  info[27] = 1;
  const payload = encodeDraftEcpdu({
    operation: 'request',
    subtype: draftVdpSubtype,
    sequence: 9,
    payload: encodeTlvs([{ ...tlv, info }]),
  });
  const [ack, answer] = heard(
    bridge.receive(frame(stationMac, nearestBridge, etherTypes.draftEcp, payload), 10_000),
  );
  assert.deepEqual(ack, { ack: 9 });
  assert.ok(answer && 'seq' in answer && answer.tlvs[0]?.kind === 'unusable');
  assert.equal(answer.tlvs[0].refusal, 'invalid format');
});

test('an association that cannot be read costs none beside it', () => {
  const { type, info } = encodeDraftVdp(asked('associate', draftVsi(1)))!;
  const unknownMode = Uint8Array.from(info);
  unknownMode[4] = 7;
  for (const [broken, problem] of [
    [info.subarray(0, 20), 'association has 20 octets; it has at least 30'],
    [unknownMode, 'mode 7; it is 0 to 3'],
  ] as const) {
    const bridge = connected();
    const right = encodeDraftVdp(asked('associate', draftVsi(2)))!;
    const payload = encodeDraftEcpdu({
      operation: 'request',
      subtype: draftVdpSubtype,
      sequence: 9,
      payload: encodeTlvs([{ type, info: broken }, right]),
    });
    const [ignored, request] = told(
      bridge.receive(frame(stationMac, nearestBridge, etherTypes.draftEcp, payload), 10_000),
    );
    const detail = `from ${stationMac}: ${problem}`;
    assert.deepEqual(ignored, { kind: 'ignored', reason: 'malformed', detail });
    assert.equal(request?.kind === 'request' && request.vsiId, vsiId(2));
  }
});

test('a station that forgot the bridge begins anew; one that changes the version too', () => {
  const bridge = connected();
  associate(bridge, 1, 1, 10_000);
  bridge.receive(lldp(stationMac, fresh), 10_050);
  const again = told(bridge.receive(ecp(stationMac, 1, [asked('associate', draftVsi(1))]), 10_060));
  assert.deepEqual(again, [{ kind: 'renewed', vsiId: vsiId(1) }]);
  const info = encodeEvbTlv(stationEvb);
  bridge.receive(
    lldp(stationMac, agreed, [{ kind: 'organizational', oui: evbOui, subtype: evbSubtype, info }]),
    10_070,
  );
  assert.equal(bridge.state().evb.dialect, 'ratified');
  assert.equal(bridge.state().vsis.length, 1, 'the VSI stays');
});

test('our station in draft 0.2: granted, renewed, let go by itself and by the bridge', () => {
  const station = stationPort({ evb: { ...evb, dialects: ['draft'] } });
  station.linkUp(0);
  const seq = (outputs: Parameters<typeof told>[0]) => {
    const found = sent(outputs, 'bridge').find((seen) => 'seq' in seen);
    assert.ok(found && 'seq' in found);
    station.receive(ecp(bridgeMac, found.seq, null), now);
    return found.tlvs;
  };
  let now = 1;
  station.receive(lldp(bridgeMac, agreed), now);
  const answer = (mode: 'associate' | 'de-associate', n: number): AssociationTlv => {
    const { vsiId, profile, filter } = draftVsi(n);
    return { kind: 'answer', mode, vsiId, profile, filter, refusal: null };
  };
  for (const n of [1, 2]) {
    now += 10;
    assert.deepEqual(seq(station.request(draftVsi(n), 'associate', now)), [asked('associate', draftVsi(n))]);
    assert.deepEqual(
      told(station.receive(ecp(bridgeMac, n, [answer('associate', n)]), now)).map(({ kind }) => kind),
      ['granted'],
    );
  }
  now += 10;
  seq(station.request(draftVsi(1), 'de-associate', now));
  assert.deepEqual(told(station.receive(ecp(bridgeMac, 3, [answer('de-associate', 1)]), now)), [
    { kind: 'deassociated', vsiId: vsiId(1), by: 'self' },
  ]);
  assert.deepEqual(told(station.receive(ecp(bridgeMac, 4, [answer('de-associate', 2)]), now)), [
    { kind: 'deassociated', vsiId: vsiId(2), by: 'bridge' },
  ]);
});

test('an EVB TLV of draft 0.2 survives encoding, has 13 octets, and any other length is refused', () => {
  const part = fc.record(
    {
      standard: fc.boolean(),
      reflectiveRelay: fc.boolean(),
      capabilities: fc.record(
        { rte: fc.boolean(), ecp: fc.boolean(), vdp: fc.boolean() },
        { noNullPrototype: true },
      ),
      vsis: fc.integer({ min: 0, max: 0xffff }),
    },
    { noNullPrototype: true },
  );
  fc.assert(
    fc.property(part, part, fc.integer({ min: 0, max: 31 }), (supported, current, rte) => {
      const info = encodeDraftEvbTlv({ supported, current, rte });
      assert.equal(info.length + 4, 13);
      assert.deepEqual(must(decodeDraftEvbTlv(info)), { supported, current, rte });
    }),
  );
  for (const length of [0, 5, 8, 10, 16, 60])
    assert.ok(!decodeDraftEvbTlv(new Uint8Array(length).fill(0x47)).ok);
});

test('no draft decoder throws on octets of any kind', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 1600 }), (bytes) => {
      for (const decode of [
        decodeDraftEcpdu,
        decodeDraftEvbTlv,
        (octets: Uint8Array) => decodeDraftVdp('bridge', octets),
        (octets: Uint8Array) => decodeDraftVdp('station', octets),
      ])
        assert.equal(typeof decode(bytes).ok, 'boolean');
    }),
    { numRuns: 1_000 },
  );
});
