import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { qmpStep, type QmpInput, type QmpState } from '../../../src/hypervisors/qemu/qmp-events.ts';

const resume: QmpInput = { kind: 'resume' };
const stop: QmpInput = { kind: 'stop' };
const closed: QmpInput = { kind: 'closed' };
const migration = (status: string): QmpInput => ({ kind: 'migration', status });
const found = (status: string, migration: string | null = null): QmpInput => ({
  kind: 'snapshot',
  status,
  migration,
});

function told(...inputs: QmpInput[]): string[] {
  let state: QmpState = 'unknown';
  return inputs.flatMap((input) => {
    const next = qmpStep(state, input);
    state = next.state;
    return next.emit;
  });
}

// The sequences are those that QEMU 7.2 was recorded with (EVENTS.md of the peers, section QEMU).
const cases: [name: string, inputs: QmpInput[], events: string[]][] = [
  ['a VM started by libvirt (-S, then cont)', [found('prelaunch'), resume, closed], ['started', 'gone']],
  ['a VM found running', [found('running')], ['started']],
  ['a VM found paused by hand, continued', [found('paused'), resume], ['started']],
  [
    'a source',
    [found('running'), migration('setup'), migration('active'), stop, migration('completed'), closed],
    ['started', 'stopped', 'left', 'gone'],
  ],
  [
    'a source with pause-before-switchover',
    [
      found('running'),
      migration('setup'),
      migration('active'),
      stop,
      migration('pre-switchover'),
      migration('device'),
      migration('completed'),
    ],
    ['started', 'stopped', 'left'],
  ],
  [
    'a destination that runs at once: RESUME comes before "completed"',
    [found('inmigrate'), migration('setup'), migration('active'), resume, migration('completed')],
    ['incoming', 'resumed'],
  ],
  [
    'a destination held back (-S), as libvirt starts it',
    [found('inmigrate'), migration('setup'), migration('active'), migration('completed'), resume],
    ['incoming', 'arrived', 'resumed'],
  ],
  [
    'post-copy: the destination runs before the memory is complete',
    [found('inmigrate'), migration('active'), migration('postcopy-active'), resume, migration('completed')],
    ['incoming', 'resumed'],
  ],
  [
    'cancelled before the switch-over, at the source',
    [found('running'), migration('active'), migration('cancelling'), migration('cancelled')],
    ['started', 'aborted'],
  ],
  [
    'failed in the switch-over, at the source: told before it runs on',
    [found('running'), migration('active'), stop, migration('failed'), resume],
    ['started', 'stopped', 'aborted', 'resumed'],
  ],
  [
    'cancelled, at the destination: it says so and exits',
    [found('inmigrate'), migration('setup'), migration('active'), migration('failed'), closed],
    ['incoming', 'aborted', 'gone'],
  ],
  ['a destination that dies without a word', [found('inmigrate'), closed], ['incoming', 'aborted', 'gone']],
  [
    'taken back after "completed": the destination could not run it',
    [found('running'), migration('active'), stop, migration('completed'), resume],
    ['started', 'stopped', 'left', 'aborted', 'resumed'],
  ],
  ['a pause by hand is no migration', [found('running'), stop, found('paused'), resume], ['started']],
  [
    'a switch-over whose begin went unheard',
    [found('running'), stop, found('finish-migrate', 'active'), migration('completed')],
    ['started', 'stopped', 'left'],
  ],
  [
    'one that is over when looked at',
    [found('running'), stop, found('postmigrate')],
    ['started', 'stopped', 'left'],
  ],
  [
    'attached in mid-migration, at the source',
    [found('running', 'active'), stop, migration('completed')],
    ['started', 'stopped', 'left'],
  ],
  [
    'attached to a destination that waits for cont',
    [found('paused', 'completed'), resume],
    ['arrived', 'resumed'],
  ],
  [
    'attached to a source whose VM is elsewhere',
    [found('postmigrate', 'completed'), closed],
    ['left', 'gone'],
  ],
  [
    'there and back again: a destination becomes a source',
    [
      found('inmigrate'),
      migration('completed'),
      resume,
      migration('setup'),
      migration('active'),
      stop,
      migration('completed'),
    ],
    ['incoming', 'arrived', 'resumed', 'stopped', 'left'],
  ],
  [
    'a second attempt after a cancelled one',
    [
      found('running'),
      migration('active'),
      migration('cancelled'),
      migration('setup'),
      stop,
      migration('completed'),
    ],
    ['started', 'aborted', 'stopped', 'left'],
  ],
];

for (const [name, inputs, events] of cases) test(name, () => assert.deepEqual(told(...inputs), events));

test('whatever QEMU says, the VM is never told to run twice without having stopped, left or aborted', () => {
  const words = [
    'setup',
    'active',
    'device',
    'completed',
    'failed',
    'cancelled',
    'postcopy-active',
    'nonsense',
  ];
  const states = ['running', 'paused', 'inmigrate', 'postmigrate', 'finish-migrate', 'prelaunch', 'nonsense'];
  const input = fc.oneof(
    fc.constant(resume),
    fc.constant(stop),
    fc.constantFrom(...words).map(migration),
    fc.tuple(fc.constantFrom(...states), fc.option(fc.constantFrom(...words))).map(([s, m]) => found(s, m)),
  );
  fc.assert(
    fc.property(fc.array(input, { maxLength: 40 }), (inputs) => {
      let runs = false;
      for (const kind of told(...inputs)) {
        if (kind === 'started' || kind === 'resumed') {
          assert.equal(runs, false, `${kind} while it runs`);
          runs = true;
        } else if (kind === 'stopped') {
          assert.equal(runs, true, 'stopped while it does not run');
          runs = false;
        } else if (kind === 'left') runs = false;
        else if (kind === 'incoming' || kind === 'arrived')
          assert.equal(runs, false, `${kind} while it runs`);
      }
    }),
    { numRuns: 2000 },
  );
});
