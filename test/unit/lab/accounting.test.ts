import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { StreamAccount, type StreamResult } from '../../../src/lab/stream/accounting.ts';
import { VmCounters } from '../../../src/lab/stream/vm-counters.ts';

const epoch = 1_700_000_000_000_000;
const run = 9n;

interface Network {
  /** is the probe or beacon sent at this ms lost, passed (1) or doubled (2)? */
  probe?: (ms: number) => number;
  beacon?: (ms: number) => number;
  /** how long the network holds a beacon back at this ms (ms) */
  delay?: (ms: number) => number;
  /** does the peer, the VM run at this ms? */
  peerRuns?: (ms: number) => boolean;
  vmRuns?: (ms: number) => boolean;
}

/** Both streams over a network with a delay of 0.1 ms for `length` ms and 20 ms more of beacons. */
function streams(length: number, network: Network): StreamResult {
  const {
    probe = () => 1,
    beacon = () => 1,
    delay = () => 0.1,
    peerRuns = () => true,
    vmRuns = () => true,
  } = network;
  const account = new StreamAccount(run);
  const vm = new VmCounters();
  let sequence = 0;
  for (let ms = 0; ms < length + 20; ms++) {
    const at = epoch + ms * 1000;
    if (ms < length && peerRuns(ms)) {
      account.probeSent(sequence, at);
      const copies = vmRuns(ms) ? probe(ms) : 0;
      for (let copy = 0; copy < copies; copy++) vm.receive({ sequence, run, quiet: false });
      sequence++;
    }
    if (!vmRuns(ms)) continue;
    const sent = vm.beacon();
    account.beaconEntered(sent, at + 10);
    for (let copy = beacon(ms); copy > 0; copy--) account.beaconReceived(sent, at + 1000 * delay(ms));
  }
  for (const from of account.unasked) {
    const answer = vm.answer({ from, run });
    if (answer) account.answered(answer);
  }
  return account.result();
}

const during = (from: number, to: number) => (ms: number) => ms >= from && ms < to;

test('nothing happens', () => {
  const { toVm, fromVm } = streams(100, {});
  assert.deepEqual([toVm.sent, toVm.received, toVm.lost, toVm.duplicated], [100, 100, 0, 0]);
  assert.deepEqual([fromVm.sent, fromVm.received, fromVm.lost, fromVm.duplicated], [120, 120, 0, 0]);
  assert.ok(toVm.gapMs <= 1 && fromVm.gapMs <= 1);
});

test('the VM stops: both directions have the same gap, and only probes are lost', () => {
  const { toVm, fromVm } = streams(100, { vmRuns: (ms) => !during(40, 60)(ms) });
  assert.equal(toVm.lost, 20);
  assert.equal(fromVm.lost, 0);
  for (const { gapMs, gapStart, gapEnd } of [toVm, fromVm])
    assert.deepEqual([gapMs, gapStart, gapEnd], [21, epoch + 39_100, epoch + 60_100]);
});

test('the network loses one direction only', () => {
  const to = streams(100, { probe: (ms) => (during(40, 60)(ms) ? 0 : 1) });
  assert.deepEqual([to.toVm.lost, to.toVm.gapMs, to.fromVm.lost, to.fromVm.gapMs], [20, 21, 0, 1]);
  const from = streams(100, { beacon: (ms) => (during(40, 60)(ms) ? 0 : 1) });
  assert.deepEqual([from.fromVm.lost, from.fromVm.gapMs, from.toVm.lost], [20, 21, 0]);
});

test('a peer that does not run is no gap of the network’s', () => {
  const { toVm, fromVm } = streams(100, { peerRuns: (ms) => !during(40, 60)(ms) });
  assert.deepEqual([toVm.sent, toVm.lost], [80, 0]);
  assert.ok(toVm.gapMs <= 1.1, `${toVm.gapMs}`);
  assert.equal(fromVm.gapMs, 1);
});

test('a VM that does not come back has a gap until the last probe', () => {
  const { toVm, fromVm } = streams(100, { vmRuns: (ms) => ms < 40 });
  assert.deepEqual([toVm.lost, fromVm.lost], [60, 0]);
  assert.deepEqual([toVm.gapStart, toVm.gapEnd], [epoch + 39_100, epoch + 99_000]);
  assert.deepEqual([fromVm.gapStart, fromVm.gapEnd], [epoch + 39_100, epoch + 99_000]);
});

test('a VM that never was there', () => {
  const { toVm, fromVm } = streams(100, { vmRuns: () => false });
  assert.deepEqual([toVm.sent, toVm.lost, toVm.gapMs], [100, 100, 99]);
  assert.deepEqual([fromVm.sent, fromVm.received, fromVm.gapMs], [0, 0, 99]);
});

test('the VM’s own silence is told apart from what the network adds', () => {
  const { own, fromVm } = streams(100, {
    vmRuns: (ms) => !during(40, 50)(ms),
    beacon: (ms) => (during(50, 55)(ms) ? 0 : 1),
  });
  assert.deepEqual([own?.gapMs, fromVm.gapMs], [11, 16]);
  assert.deepEqual([own!.entered - fromVm.received, fromVm.lost], [5, 5]);
  assert.deepEqual([own?.gapStart, own?.gapEnd], [epoch + 39_010, epoch + 50_010]);
});

test('beacons that overtake each other are neither lost nor a gap', () => {
  const { fromVm } = streams(100, { delay: (ms) => (ms % 2 ? 0.1 : 1.5) });
  assert.deepEqual([fromVm.lost, fromVm.duplicated], [0, 0]);
  assert.ok(fromVm.gapMs <= 2.4, `${fromVm.gapMs}`);
});

test('second copies are counted in both directions', () => {
  const { toVm, fromVm } = streams(100, {
    probe: (ms) => (during(40, 50)(ms) ? 2 : 1),
    beacon: (ms) => (during(70, 75)(ms) ? 2 : 1),
  });
  assert.deepEqual([toVm.lost, toVm.duplicated, fromVm.lost, fromVm.duplicated], [0, 10, 0, 5]);
});

test('of each probe is told whether it was received, where it left the network, and when the first left there that asks for silence', () => {
  const account = new StreamAccount(run, 2);
  const vm = new VmCounters();
  const probe = (sequence: number) => ({ sequence, run, quiet: sequence > 0 });
  for (let sequence = 0; sequence < 4; sequence++) account.probeSent(sequence, epoch + sequence);
  account.probeLeft({ ...probe(0), run: 8n }, { by: 1, at: epoch + 5 });
  account.probeLeft(probe(0), { by: 0, at: epoch + 10 });
  account.probeLeft(probe(1), { by: 0, at: epoch + 11 });
  account.probeLeft(probe(2), { by: 1, at: epoch + 12 });
  account.probeLeft(probe(1), { by: 1, at: epoch + 13 });
  vm.receive(probe(0));
  assert.deepEqual(account.unasked, [0]);
  account.answered({ ...vm.answer({ from: 0, run })!, run: 8n });
  assert.deepEqual(account.unasked, [0]);
  account.answered(vm.answer({ from: 0, run })!);
  assert.deepEqual(account.unasked, []);
  const { probes, firstQuietExits, toVm } = account.result();
  assert.deepEqual(probes, [
    { sequence: 0, received: true, left: { by: 0, at: epoch + 10 } },
    { sequence: 1, received: false, left: { by: 0, at: epoch + 11 } },
    { sequence: 2, received: false, left: { by: 1, at: epoch + 12 } },
    { sequence: 3, received: false, left: null },
  ]);
  assert.deepEqual(firstQuietExits, [epoch + 11, epoch + 12]);
  assert.equal(toVm.lost, 3);
});

test('another measurement’s beacons do not count', () => {
  const account = new StreamAccount(run);
  account.beaconReceived({ sequence: 5, run: 8n, distinct: 70, duplicated: 1, highest: 80 }, epoch);
  assert.equal(account.flows, false);
  assert.equal(account.result().fromVm.received, 0);
});

test('what is lost and doubled is counted exactly, whatever the pattern', () => {
  const pattern = fc.array(fc.nat(3), { minLength: 50, maxLength: 50 });
  fc.assert(
    fc.property(pattern, pattern, (probes, beacons) => {
      const { toVm, fromVm } = streams(50, {
        // the first of each arrives, and the beacons after the end, so that what was sent in between is known
        probe: (ms) => (ms === 0 ? 1 : probes[ms]!),
        beacon: (ms) => (ms === 0 ? 1 : (beacons[ms] ?? 1)),
      });
      assert.equal(toVm.lost, probes.slice(1).filter((copies) => copies === 0).length);
      assert.equal(toVm.duplicated, extra(probes.slice(1)));
      assert.equal(fromVm.lost, beacons.slice(1).filter((copies) => copies === 0).length);
      assert.equal(fromVm.duplicated, extra(beacons.slice(1)));
    }),
  );
});

function extra(copies: number[]): number {
  return copies.reduce((sum, count) => sum + Math.max(count - 1, 0), 0);
}
