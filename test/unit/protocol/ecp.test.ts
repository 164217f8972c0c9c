import assert from 'node:assert/strict';
import { test } from 'node:test';
import { droppedLayer, Ecp, type UpperLayer } from '../../../src/protocol/ecp/ecp.ts';
import type { Ecpdu } from '../../../src/protocol/ecp/ratified.ts';
import { timingOf } from '../../../src/protocol/evb/timers.ts';
import { dialects } from '../../../src/protocol/dialects.ts';
import { bridgePort, stationMac, vsi } from '../../kit/protocol/fixtures.ts';
import { asked, Peer, sent, stationEvb, told } from '../../kit/protocol/peer.ts';

const timing = timingOf({ retries: 2, rte: 8, rwd: 16, rka: 16 });

/** An upper layer that sends what is put into `queue`, and remembers what becomes of it. */
class Queue implements UpperLayer {
  readonly queue: number[] = [];
  readonly outcomes: boolean[] = [];
  readonly got: number[] = [];

  hasMore(): boolean {
    return this.queue.length > 0;
  }
  pull(): Uint8Array | null {
    const next = this.queue.shift();
    return next === undefined ? null : Uint8Array.of(next);
  }
  settled(acknowledgedAt: number | null): void {
    this.outcomes.push(acknowledgedAt !== null);
  }
  received(payload: Uint8Array): void {
    this.got.push(payload[0]!);
  }
}

function twoLayers(subtypes: Partial<Record<'vdp' | 'pe-csp', number>> = dialects.ratified.ecp.subtypes) {
  const [vdp, peCsp] = [new Queue(), new Queue()];
  const out: Ecpdu[] = [];
  const ecp = new Ecp({
    layers: { vdp, 'pe-csp': peCsp },
    subtypes: () => subtypes,
    send: (ecpdu) => out.push(ecpdu),
    firstSequence: 7,
  });
  const sent = () => out.splice(0).map((o) => [o.operation, o.subtype, o.sequence, ...o.payload]);
  return { ecp, vdp, peCsp, sent };
}

const request = (subtype: number, sequence: number, octet = 0): Ecpdu => ({
  operation: 'request',
  subtype,
  sequence,
  payload: Uint8Array.of(octet),
});
const ack = (subtype: number, sequence: number): Ecpdu => ({
  ...request(subtype, sequence),
  operation: 'acknowledgement',
});

test('upper layers take turns, one ECPDU at a time, with numbers of one sequence', () => {
  const { ecp, vdp, peCsp, sent } = twoLayers();
  vdp.queue.push(10, 11);
  peCsp.queue.push(20, 21);
  const all: unknown[] = [];
  for (let now = 0, sequence = 7; sequence <= 10; now += 3, sequence++) {
    ecp.run(timing, false, now);
    const [frame, ...more] = sent();
    assert.deepEqual(more, []);
    all.push(frame);
    const [, subtype] = frame as [string, number];
    ecp.receive(ack(3 - subtype, sequence), now);
    assert.equal(
      ecp.deadline(timing),
      now + timing.acknowledgement,
      "another layer's acknowledgement is none",
    );
    ecp.receive(ack(subtype, sequence), now);
  }
  assert.deepEqual(all, [
    ['request', 2, 7, 20],
    ['request', 1, 8, 10],
    ['request', 2, 9, 21],
    ['request', 1, 10, 11],
  ]);
  assert.deepEqual(
    [vdp.outcomes, peCsp.outcomes],
    [
      [true, true],
      [true, true],
    ],
  );
  assert.equal(ecp.deadline(timing), null);
});

test('each layer has a last sequence number of its own, and counters as in the MIB', () => {
  const { ecp, vdp, peCsp, sent } = twoLayers();
  for (const [subtype, sequence, octet] of [
    [1, 1, 10],
    [2, 1, 20],
    [1, 1, 10],
    [2, 2, 21],
  ] as const)
    ecp.receive(request(subtype, sequence, octet), 0);
  assert.deepEqual([vdp.got, peCsp.got], [[10], [20, 21]]);
  assert.deepEqual(sent(), [
    ['acknowledgement', 1, 1],
    ['acknowledgement', 2, 1],
    ['acknowledgement', 1, 1],
    ['acknowledgement', 2, 2],
  ]);
  peCsp.queue.push(30);
  for (let step = 0; step <= 3; step++) ecp.run(timing, false, step * 3);
  assert.deepEqual(peCsp.outcomes, [false], 'once sent, twice repeated, given up');
  const received = { vdp: [1, 1], 'pe-csp': [2, 0] } as const;
  const counted = ecp.countersByLayer;
  for (const [name, [rxFrameCount, rxRepeatCount]] of Object.entries(received)) {
    const tx = name === 'vdp' ? [0, 0, 0] : [1, 2, 1];
    const [txFrameCount, txRetryCount, txFailures] = tx;
    assert.deepEqual(counted[name as keyof typeof counted], {
      txFrameCount,
      txRetryCount,
      txFailures,
      rxFrameCount,
      rxRepeatCount,
    });
  }
  assert.deepEqual(ecp.counters, {
    txFrameCount: 1,
    txRetryCount: 2,
    txFailures: 1,
    rxFrameCount: 3,
    rxRepeatCount: 1,
  });
});

test('a layer that the version has no number for is silent, and what a reset loses is no failure', () => {
  const { ecp, vdp, peCsp, sent } = twoLayers(dialects.draft.ecp.subtypes);
  peCsp.queue.push(20);
  ecp.run(timing, true, 0);
  assert.deepEqual([sent(), ecp.deadline(timing), ecp.knows(2), ecp.knows(0)], [[], null, false, true]);
  vdp.queue.push(10);
  ecp.run(timing, true, 0);
  assert.deepEqual(sent(), [['request', 0, 7, 10]]);
  ecp.reset();
  assert.deepEqual(vdp.outcomes, [false]);
  assert.equal(ecp.counters.txFailures, 0);
  assert.equal(droppedLayer.pull(0), null);
});

test('on a port, PE-CSP is acknowledged and dropped; a subtype that nobody knows is not even acknowledged', () => {
  const station = new Peer(stationMac);
  const bridge = bridgePort();
  bridge.linkUp(0);
  bridge.receive(station.lldp(stationEvb), 0);
  const ask = [asked('associate', vsi(1))];
  const peCsp = bridge.receive(station.ecp(1, ask, 2), 1);
  assert.deepEqual([sent(peCsp), told(peCsp)], [[{ ack: 1 }], []]);
  const unknown = bridge.receive(station.ecp(1, ask, 3), 2);
  assert.deepEqual(sent(unknown), []);
  assert.deepEqual(
    told(unknown).map((output) => output.kind === 'ignored' && output.reason),
    ['unknown ECP subtype'],
  );
  assert.equal(told(bridge.receive(station.ecp(1, ask), 3))[0]?.kind, 'request', 'VDP counts for itself');
  const { vdp, 'pe-csp': other } = bridge.state().counters.ecpByLayer;
  assert.deepEqual([vdp.rxFrameCount, other.rxFrameCount], [1, 1]);
});
