import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { HypervisorEventKind } from '../../../src/hypervisors/event.ts';
import { VmTable } from '../../../src/station/vm-table.ts';

/** What a station asks for and reports, event by event. */
function run(...kinds: HypervisorEventKind[]): string[] {
  const table = new VmTable();
  return kinds.map((kind) => {
    const { wish, moment } = table.happened({ kind, vm: 'web1' });
    return [wish, moment].filter(Boolean).join(' + ');
  });
}

test('a destination that holds the VM back associates before it runs', () => {
  assert.deepEqual(run('incoming', 'arrived', 'resumed'), [
    'pre-associate-rr + announce',
    'associate',
    'associate + resume',
  ]);
});

test('a destination that does not hold it back associates as soon as it runs', () => {
  assert.deepEqual(run('incoming', 'resumed'), ['pre-associate-rr + announce', 'associate + resume']);
});

test('a source reports its stop and lets go only when the VM has left', () => {
  assert.deepEqual(run('started', 'stopped', 'left', 'gone'), ['associate', 'stop', 'de-associate', '']);
});

test('a failed migration leaves the source associated, and says so, whichever of the two comes first', () => {
  assert.deepEqual(run('started', 'stopped', 'aborted', 'resumed'), [
    'associate',
    'stop',
    'associate + abort',
    '',
  ]);
  assert.deepEqual(run('started', 'stopped', 'resumed', 'aborted'), [
    'associate',
    'stop',
    'associate + abort',
    '',
  ]);
});

test('a migration that is cancelled before the VM stops changes nothing at the source', () => {
  assert.deepEqual(run('started', 'aborted'), ['associate', '']);
});

test('a failed migration lets go at the destination, even if it had associated there', () => {
  assert.deepEqual(run('incoming', 'aborted'), ['pre-associate-rr + announce', 'de-associate + abort']);
  assert.deepEqual(run('incoming', 'arrived', 'gone').at(-1), 'de-associate + abort');
});

test('a VM that nobody knew is unknown, and asks for nothing', () => {
  const table = new VmTable();
  for (const kind of ['gone', 'left', 'aborted', 'stopped', 'nics'] as const)
    assert.deepEqual(table.happened({ kind, vm: 'web1' }), { guest: null, wish: null, moment: null }, kind);
});

test('two processes of one name are two guests; the toolstack means the newest', () => {
  const table = new VmTable();
  const first = table.happened({ kind: 'started', vm: 'web1', process: '/a' });
  const second = table.happened({ kind: 'incoming', vm: 'web1', process: '/b' });
  assert.notEqual(first.guest, second.guest);
  assert.equal(table.happened({ kind: 'aborted', vm: 'web1' }).guest, second.guest);
  assert.equal(table.happened({ kind: 'gone', vm: 'web1', process: '/b' }).guest, null);
  assert.equal(table.happened({ kind: 'gone', vm: 'web1', process: '/a' }).guest, first.guest);
});

test('a process takes over what a toolstack announced before it was there', () => {
  const table = new VmTable();
  const announced = table.happened({ kind: 'incoming', vm: 'web1' });
  assert.equal(table.happened({ kind: 'incoming', vm: 'web1', process: '/a' }).guest, announced.guest);
  assert.equal(table.happened({ kind: 'resumed', vm: 'web1', process: '/a' }).guest, announced.guest);
  const other = table.happened({ kind: 'started', vm: 'web1', process: '/b' });
  assert.notEqual(other.guest, announced.guest);
});

test('NICs that come and go are asked for as the VM is', () => {
  assert.deepEqual(run('incoming', 'nics').at(-1), 'pre-associate-rr');
  assert.deepEqual(run('started', 'nics').at(-1), 'associate');
});

test('a VM that is found complete but not yet running is associated', () => {
  assert.deepEqual(run('arrived', 'resumed'), ['associate', 'associate + resume']);
});
