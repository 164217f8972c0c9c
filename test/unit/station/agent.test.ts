import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Taps } from '../../../src/station/parts.ts';
import { vmMac, vsiId } from '../../kit/protocol/fixtures.ts';
import { Bed } from '../../kit/station/bed.ts';

const both = [1, 2];

test('the stop is said by S in the same call, of all NICs in one frame, until the VM goes on here', async () => {
  const bed = new Bed();
  await bed.happens('started', { vms: both });
  assert.deepEqual(bed.news(), ['associate 1', 'associate 2']);
  void bed.agent.happened(bed.event('stopped', { vms: both }));
  assert.deepEqual(bed.news(), ['associate 1 S', 'associate 2 S'], 'no turn of the event loop between');
  bed.pass(2000);
  assert.deepEqual([...new Set(bed.news())], ['associate 1 S', 'associate 2 S'], 'in keep-alives too');
  void bed.agent.happened(bed.event('resumed', { vms: both }));
  assert.deepEqual(bed.news(), ['associate 1', 'associate 2']);
  bed.pass(2000);
  assert.deepEqual([...new Set(bed.news())], ['associate 1', 'associate 2']);
  assert.deepEqual(bed.held(), ['1 associated', '2 associated']);
  assert.deepEqual(bed.reports, ['stop', 'stop', 'abort', 'abort']);
});

test('the stop is said although a keep-alive is on its way', async () => {
  const bed = new Bed();
  await bed.happens('started');
  bed.news();
  while (bed.asked.length === 0) bed.pass(1);
  void bed.agent.happened(bed.event('stopped'));
  bed.pass(0.2);
  assert.deepEqual(bed.news(), ['associate 1', 'associate 1 S'], 'as soon as that is acknowledged');
});

test('a VM that has left lets go at its end, and S is said till then', async () => {
  const bed = new Bed();
  await bed.happens('started');
  await bed.happens('stopped');
  bed.news();
  assert.deepEqual(await bed.happens('gone'), { granted: true });
  assert.deepEqual(bed.news(), ['de-associate 1']);
  assert.deepEqual(bed.held(), []);
});

test('what a VM loses that is leaving is not asked for again, but it is when the VM goes on here', async () => {
  const bed = new Bed();
  await bed.happens('started');
  await bed.happens('stopped');
  bed.bridge.do((machine, now) => machine.deassociate(vsiId(1), now));
  bed.pass(1);
  bed.news();
  bed.pass(60_000);
  assert.deepEqual(bed.news(), []);
  await bed.happens('resumed');
  assert.deepEqual(bed.news(), ['associate 1']);
  assert.deepEqual(bed.held(), ['1 associated']);
});

test('M says that the VM is on its way, until it runs here', async () => {
  const bed = new Bed();
  await bed.happens('incoming');
  await bed.happens('arrived');
  await bed.happens('resumed');
  assert.deepEqual(bed.news(), ['pre-associate-rr 1 M', 'associate 1 M', 'associate 1']);
});

/** Interfaces that are down until they are set up, and take a while if they are `late`. */
class SlowTaps implements Taps {
  readonly calls: string[] = [];
  isUp = false;
  late = false;
  ready(): boolean {
    return this.isUp;
  }
  prepare(): void {
    this.calls.push('prepare');
    this.isUp = !this.late;
  }
  keep(): void {
    this.calls.push('keep');
  }
  undo(): void {
    this.calls.push('undo');
  }
}

test('an armed VM’s interface is set up before the toolstack is answered, and M says so', async () => {
  const taps = new SlowTaps();
  const bed = new Bed({ taps });
  const outcome = await bed.happens('incoming');
  assert.deepEqual(bed.news(), ['pre-associate-rr 1', 'pre-associate-rr 1 M']);
  assert.deepEqual([outcome, taps.calls], [{ granted: true }, ['prepare']]);
  await bed.happens('resumed');
  assert.deepEqual(taps.calls, ['prepare', 'keep']);
});

test('an interface that comes later is set up when it comes; one whose VM does not come is taken back', async () => {
  const taps = new SlowTaps();
  taps.late = true;
  const bed = new Bed({ taps });
  await bed.happens('incoming');
  assert.deepEqual(bed.news(), ['pre-associate-rr 1']);
  taps.late = false;
  bed.agent.tapsChanged();
  assert.deepEqual(bed.news(), ['pre-associate-rr 1 M']);
  await bed.happens('aborted');
  assert.deepEqual(bed.news(), ['de-associate 1']);
  assert.deepEqual(taps.calls, ['prepare', 'prepare', 'undo']);
});

test('an interface is not set up for a VM that the bridge refuses', async () => {
  const taps = new SlowTaps();
  const bed = new Bed({ taps });
  bed.verdict = () => ({ kind: 'refuse', code: 'other failure', reason: 'VSI 1 is not in the database' });
  assert.deepEqual(await bed.happens('incoming'), {
    granted: false,
    reason: `VSI ${vsiId(1)}: the bridge refused: other failure: VSI 1 is not in the database`,
  });
  assert.deepEqual(taps.calls, []);
});

test('a bridge’s reason gets to the station, and by it to the toolstack and the manager', async () => {
  const bed = new Bed();
  const reason = `it may appear at host7, and not at host1${' …'.repeat(200)}`;
  bed.verdict = () => ({ kind: 'refuse', code: 'other failure', reason });
  const outcome = await bed.happens('incoming');
  assert.ok(!outcome.granted);
  assert.match(
    outcome.reason,
    /the bridge refused: other failure: it may appear at host7, and not at host1 … …/,
  );
  assert.ok(outcome.reason.length < 400, 'a long one is cut');
  assert.equal(bed.reports.at(-1), `fail: ${outcome.reason}`);
});

test('an event of a VM that nobody knows is an error, and asks for nothing', async () => {
  const bed = new Bed();
  for (const kind of ['gone', 'left', 'stopped', 'aborted', 'nics'] as const)
    assert.deepEqual(await bed.happens(kind), {
      granted: false,
      reason: 'VM web1 is unknown here',
      unknown: true,
    });
  assert.deepEqual([bed.news(), bed.reports], [[], []]);
});

test('two processes of one VM: it is gone with its last, and stands still only if both do', async () => {
  const bed = new Bed();
  await bed.happens('started', { process: '/a' });
  await bed.happens('incoming', { process: '/b' });
  assert.deepEqual(bed.news(), ['associate 1'], 'what it has is not taken for less');
  await bed.happens('aborted', { process: '/b' });
  await bed.happens('gone', { process: '/b' });
  await bed.happens('started', { process: '/c' });
  bed.news();
  await bed.happens('stopped', { process: '/a' });
  await bed.happens('gone', { process: '/a' });
  assert.deepEqual(bed.news(), []);
  assert.deepEqual(bed.held(), ['1 associated']);
  await bed.happens('gone', { process: '/c' });
  assert.deepEqual(bed.news(), ['de-associate 1']);
});

test('a retry beside the first attempt’s clean-up stays armed', async () => {
  const bed = new Bed();
  await bed.happens('incoming', { process: '/a' });
  await bed.happens('incoming', { process: '/b' });
  bed.news();
  await bed.happens('aborted', { process: '/a' });
  assert.deepEqual(bed.news(), []);
  assert.deepEqual(bed.held(), ['1 pre-associated with resource reservation']);
  await bed.happens('resumed', { process: '/b' });
  assert.deepEqual(bed.held(), ['1 associated']);
});

test('a NIC that is plugged in is asked for, one that is unplugged is given up', async () => {
  const bed = new Bed();
  await bed.happens('started');
  bed.news();
  await bed.happens('nics', { vms: [1, 2] });
  assert.deepEqual(bed.news(), ['associate 2']);
  await bed.happens('nics', { vms: [2] });
  assert.deepEqual(bed.news(), ['de-associate 1']);
  await bed.happens('gone', { vms: [2] });
  assert.deepEqual(bed.news(), ['de-associate 2']);
});

test('a NIC that nobody knows yet is asked for until it is', async () => {
  const bed = new Bed();
  await bed.happens('started');
  const { known } = bed;
  bed.known = (macs) => known(macs.filter((mac) => mac !== vmMac(2)));
  const outcome = await bed.happens('nics', { vms: [1, 2] });
  assert.deepEqual(outcome, {
    granted: false,
    reason: `${vmMac(2)} belongs to no VSI that is known here`,
  });
  bed.known = known;
  bed.pass(2000);
  assert.deepEqual(bed.held(), ['1 associated', '2 associated']);
});

test('a destination that goes from armed to associated has not failed, though the first answer comes late', async () => {
  const bed = new Bed();
  const first = bed.agent.happened(bed.event('incoming'));
  await bed.happens('arrived');
  assert.equal((await first).granted, false);
  assert.deepEqual(bed.reports, ['announce']);
  assert.deepEqual(bed.held(), ['1 associated']);
});
