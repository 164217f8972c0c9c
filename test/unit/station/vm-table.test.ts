import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { HypervisorEventKind } from '../../../src/hypervisors/event.ts';
import { VmTable } from '../../../src/station/vm-table.ts';

/** What a station asks for and reports, event by event. */
function run(...kinds: HypervisorEventKind[]): string[] {
  const table = new VmTable();
  return kinds.map((kind) => {
    const { wish, moment } = table.happened(kind, 'web1');
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

test('a failed migration leaves the source associated', () => {
  assert.deepEqual(run('started', 'stopped', 'aborted', 'resumed'), ['associate', 'stop', '', '']);
});

test('a failed migration lets go at the destination, even if it had associated there', () => {
  assert.deepEqual(run('incoming', 'aborted'), ['pre-associate-rr + announce', 'de-associate + abort']);
  assert.deepEqual(run('incoming', 'arrived', 'gone').at(-1), 'de-associate + abort');
});

test('the end of a VM that nobody knew asks for nothing', () => {
  assert.deepEqual(run('gone', 'left', 'aborted'), ['', '', '']);
});

test('a VM that is found complete but not yet running is associated', () => {
  assert.deepEqual(run('arrived', 'resumed'), ['associate', 'associate + resume']);
});
