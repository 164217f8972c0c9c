import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { StationPort } from '../../../src/protocol/station-port.ts';
import type { Refusal, VdpMode } from '../../../src/protocol/vdp/association.ts';
import type { VdpTlv } from '../../../src/protocol/vdp/tlv.ts';
import type { VsiDescription } from '../../../src/protocol/vdp/station.ts';
import { bridgeMac, filled, stationPort, vsi, vsiId } from '../../kit/protocol/fixtures.ts';
import { asked, bridgeEvb, Peer, sent, told, type Seen } from '../../kit/protocol/peer.ts';

const bridge = new Peer(bridgeMac);
/** As the bridge's first TLV: it has not heard the station yet. */
const freshBridgeEvb = {
  ...bridgeEvb,
  bridge: { bgid: false, rrcap: true, rrctr: false },
  station: { sgid: false, rrreq: false, rrstat: 0 },
};

/** A station whose bridge is known, and nothing left to say by LLDP for a while. */
function connected(): StationPort {
  const station = stationPort();
  station.linkUp(0);
  station.receive(bridge.lldp(bridgeEvb), 0);
  for (let now = 1_000; now <= 9_000; now += 1_000) station.tick(now);
  station.receive(bridge.lldp(bridgeEvb), 9_500);
  return station;
}

function answer(mode: VdpMode, description: VsiDescription, refusal: Refusal | null = null): VdpTlv {
  const { vsiId, profile, filter } = description;
  return { kind: 'answer', mode, vsiId, profile, filter, refusal };
}

/** Asks, and has it granted at once; `seq` is the bridge's. */
function granted(station: StationPort, n: number, mode: VdpMode, seq: number, now: number): void {
  acknowledge(station, sent(station.request(vsi(n), mode, now)), now);
  const outputs = told(station.receive(bridge.ecp(seq, [answer(mode, vsi(n))]), now));
  assert.deepEqual(
    outputs.map(({ kind }) => kind),
    ['granted'],
  );
}

function acknowledge(station: StationPort, frames: readonly Seen[], now: number): void {
  for (const frame of frames) if ('seq' in frame) station.receive(bridge.ack(frame.seq), now);
}

/** What comes out until `to`, every ECPDU acknowledged. */
function pass(station: StationPort, from: number, to: number) {
  const seen: { at: number; output: ReturnType<StationPort['tick']>[number] }[] = [];
  for (let now = from; ;) {
    const deadline = station.deadline();
    if (deadline === null || deadline > to) return seen;
    now = Math.max(now, deadline);
    const outputs = station.tick(now);
    for (const output of outputs) seen.push({ at: now, output });
    acknowledge(station, sent(outputs), now);
  }
}

test('a station says what it knows of reflective relay: nothing, then on or off', () => {
  const station = stationPort();
  const status = (frames: readonly Seen[]) =>
    frames.map((frame) => 'lldp' in frame && frame.lldp.evb?.station.rrstat);
  assert.deepEqual(status(sent(station.linkUp(0))), [3]);
  assert.deepEqual(status(sent(station.receive(bridge.lldp(freshBridgeEvb), 1))), [0]);
  assert.deepEqual(status(sent(station.receive(bridge.lldp(bridgeEvb), 2))), [1]);
});

test('what is asked before EVB is negotiated waits for the bridge to know the station', () => {
  const station = stationPort();
  station.request(vsi(1), 'pre-associate', 0);
  station.linkUp(0);
  const tlvs = (frames: readonly Seen[]) => frames.flatMap((frame) => ('tlvs' in frame ? frame.tlvs : []));
  assert.deepEqual(tlvs(sent(station.receive(bridge.lldp(freshBridgeEvb), 1))), []);
  assert.equal(station.state().vsis[0]?.phase, 'waiting');
  assert.deepEqual(tlvs(sent(station.receive(bridge.lldp(bridgeEvb), 2))), [asked('pre-associate', vsi(1))]);
});

test('a request, its answer with the VID that the bridge chose, and the keep-alives after it', () => {
  const station = connected();
  const [request] = sent(station.request(vsi(1, 0), 'associate', 10_000));
  assert.deepEqual(request, { seq: 1, tlvs: [asked('associate', vsi(1, 0))] });
  station.receive(bridge.ack(1), 10_000);
  const filter = filled(vsi(1, 0).filter, 42);
  const outputs = station.receive(bridge.ecp(1, [answer('associate', { ...vsi(1), filter })]), 10_001);
  assert.deepEqual(sent(outputs), [{ ack: 1 }]);
  assert.deepEqual(told(outputs), [{ kind: 'granted', vsiId: vsiId(1), association: 'associated', filter }]);

  const keepAlive = station.state().timers.keepAlive;
  const [renewal] = pass(station, 10_001, 10_001 + keepAlive);
  assert.ok(renewal);
  assert.equal(renewal.at, 10_001 + keepAlive);
  assert.deepEqual(sent([renewal.output]), [{ seq: 2, tlvs: [asked('associate', vsi(1, 0))] }]);
  const renewed = station.receive(bridge.ecp(2, [answer('associate', { ...vsi(1), filter })]), 10_700);
  assert.deepEqual(told(renewed), [], 'a keep-alive that is granted as before is no news');
});

test('every request of the agent gets an outcome, also one for what is held already', () => {
  const station = connected();
  granted(station, 1, 'associate', 1, 10_000);
  granted(station, 1, 'associate', 2, 10_100);
});

test('a first request without an answer is given up after the response time', () => {
  const station = connected();
  acknowledge(station, sent(station.request(vsi(1), 'associate', 10_000)), 10_000);
  const { responseWait } = station.state().timers;
  assert.equal(responseWait, 1.5 * (7 * 2.56 + 655.36));
  assert.deepEqual(
    pass(station, 10_000, 20_000).filter(({ output }) => output.kind !== 'send'),
    [{ at: 10_000 + responseWait, output: { kind: 'timed out', vsiId: vsiId(1), retrying: false } }],
  );
  assert.deepEqual(station.state().vsis, []);
});

test('what was granted is asked for until the bridge answers again', () => {
  const station = connected();
  granted(station, 1, 'associate', 1, 10_000);
  const seen = pass(station, 10_000, 14_000).map(({ output }) => output);
  assert.ok(told(seen).length >= 2);
  for (const output of told(seen))
    assert.deepEqual(output, { kind: 'timed out', vsiId: vsiId(1), retrying: true });
  station.receive(bridge.ecp(2, [answer('associate', vsi(1))]), 14_000);
  assert.deepEqual(
    station.state().vsis.map(({ association, phase }) => [association, phase]),
    [['associated', 'settled']],
  );
});

test('refused: without KEEP all is lost, with KEEP what was held stays and is renewed as such', () => {
  const refusal = { code: 'insufficient resources', keep: false, hard: true } as const;
  const station = connected();
  acknowledge(station, sent(station.request(vsi(1), 'associate', 10_000)), 10_000);
  assert.deepEqual(told(station.receive(bridge.ecp(1, [answer('associate', vsi(1), refusal)]), 10_001)), [
    {
      kind: 'refused',
      vsiId: vsiId(1),
      code: 'insufficient resources',
      hard: true,
      reason: null,
      association: 'none',
    },
  ]);
  assert.deepEqual(station.state().vsis, []);

  granted(station, 2, 'pre-associate', 2, 10_100);
  acknowledge(station, sent(station.request(vsi(2, 101), 'associate', 10_200)), 10_200);
  const kept = { code: 'other failure', keep: true, hard: false } as const;
  assert.deepEqual(told(station.receive(bridge.ecp(3, [answer('associate', vsi(2, 101), kept)]), 10_201)), [
    {
      kind: 'refused',
      vsiId: vsiId(2),
      code: 'other failure',
      hard: false,
      reason: null,
      association: 'pre-associated',
    },
  ]);
  const [renewal] = pass(station, 10_201, 11_000);
  assert.deepEqual(
    sent([renewal!.output]).map((frame) => 'tlvs' in frame && frame.tlvs),
    [[asked('pre-associate', vsi(2))]],
  );
});

test('an answer that repeats something else than was asked is none', () => {
  const station = connected();
  acknowledge(station, sent(station.request(vsi(1), 'associate', 10_000)), 10_000);
  const wrong = [
    answer('pre-associate', vsi(1)),
    answer('associate', vsi(1, 101)),
    answer('associate', { ...vsi(1), profile: { ...vsi(1).profile, typeVersion: 9 } }),
    answer('associate', { ...vsi(1), filter: vsi(2).filter }),
    answer('associate', vsi(2)),
  ];
  assert.deepEqual(told(station.receive(bridge.ecp(1, wrong), 10_001)), []);
  assert.equal(station.state().vsis[0]?.phase, 'asking');
});

test('the bridge may de-associate of its own; an answer to a de-associate nobody sent is nothing', () => {
  const station = connected();
  granted(station, 1, 'associate', 1, 10_000);
  assert.deepEqual(told(station.receive(bridge.ecp(2, [answer('de-associate', vsi(1))]), 10_010)), []);
  assert.deepEqual(told(station.receive(bridge.ecp(3, [asked('de-associate', vsi(1))]), 10_020)), [
    { kind: 'deassociated', vsiId: vsiId(1), by: 'bridge' },
  ]);
  assert.deepEqual(station.state().vsis, []);
});

test('a de-associate ends with the answer or without one', () => {
  const station = connected();
  granted(station, 1, 'associate', 1, 10_000);
  granted(station, 2, 'associate', 2, 10_010);
  for (const n of [1, 2])
    acknowledge(station, sent(station.request(vsi(n), 'de-associate', 10_020 + 5 * n)), 10_030);
  const gone = (n: number) => ({ kind: 'deassociated', vsiId: vsiId(n), by: 'self' });
  assert.deepEqual(told(station.receive(bridge.ecp(3, [answer('de-associate', vsi(1))]), 10_040)), [gone(1)]);
  const seen = pass(station, 10_040, 12_000).map(({ output }) => output);
  assert.deepEqual(told(seen), [gone(2)]);
});

test('after a link flap and after a restart of the bridge everything is asked for again', () => {
  const interruptions = [
    (station: StationPort) => [station.linkDown(10_100), station.linkUp(10_200)],
    (station: StationPort) => [station.receive(bridge.lldp(null, 0), 10_100)],
    (station: StationPort) => [station.receive(bridge.lldp(freshBridgeEvb), 10_100)],
  ];
  for (const interrupt of interruptions) {
    const station = connected();
    granted(station, 1, 'associate', 1, 10_000);
    granted(station, 2, 'pre-associate-rr', 2, 10_010);
    interrupt(station);
    assert.deepEqual(new Set(station.state().vsis.map(({ phase }) => phase)), new Set(['waiting']));
    const outputs = station.receive(bridge.lldp(bridgeEvb), 10_300);
    const tlvs = sent(outputs).flatMap((frame) => ('tlvs' in frame ? frame.tlvs : []));
    assert.deepEqual(tlvs, [asked('associate', vsi(1)), asked('pre-associate-rr', vsi(2))], 'in one ECPDU');
    // The bridge's numbers begin anew.
    const answers = [answer('associate', vsi(1)), answer('pre-associate-rr', vsi(2))];
    station.receive(bridge.ecp(1, answers), 10_301);
    assert.deepEqual(new Set(station.state().vsis.map(({ phase }) => phase)), new Set(['settled']));
  }
});

test('another bridge is believed once the first is silent, or has nothing to do with EVB any more', () => {
  const second = new Peer(vmOf(1));
  for (const fallSilent of [
    (station: StationPort) => pass(station, 10_000, 200_000),
    (station: StationPort) => station.receive(bridge.lldp(null), 200_000),
  ]) {
    const station = connected();
    assert.deepEqual(
      told(station.receive(second.lldp(bridgeEvb), 10_000)).map(
        (output) => output.kind === 'ignored' && output.reason,
      ),
      ['second speaker'],
    );
    fallSilent(station);
    station.receive(second.lldp(bridgeEvb), 200_001);
    assert.equal(station.state().neighbour?.mac, vmOf(1));
  }
});

test('hints reach the wire, and only the pinned bridge is believed', () => {
  const station = connected();
  const hints = { migrating: true, suspended: false };
  const [request] = sent(station.request({ ...vsi(1), hints }, 'pre-associate-rr', 10_000));
  assert.deepEqual(request, { seq: 1, tlvs: [asked('pre-associate-rr', { ...vsi(1), hints })] });
  const impostor = new Peer(vmOf(1));
  const outputs = station.receive(impostor.ecp(1, [answer('pre-associate-rr', vsi(1))]), 10_001);
  assert.deepEqual([sent(outputs), told(outputs).map(({ kind }) => kind)], [[], ['ignored']]);
});

function vmOf(n: number) {
  const { mac } = vsi(n).filter.entries[0]!;
  assert.ok(mac);
  return mac;
}
