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

const pass: QmpInput = { kind: 'pass' };
/** the answer to a look that was asked for */
const is = (status: string): QmpInput => ({ kind: 'status', status });

/** All that is told, in order; each answer was asked for. */
function told(...inputs: QmpInput[]): string[] {
  let state: QmpState = 'unknown';
  let asked = 0;
  return inputs.flatMap((input) => {
    if (input.kind === 'status') assert.ok(asked-- > 0, `nobody asked, and ${input.status} was answered`);
    const next = qmpStep(state, input);
    state = next.state;
    if (next.look) asked++;
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
    [
      found('running'),
      migration('setup'),
      pass,
      migration('active'),
      stop,
      is('finish-migrate'),
      pass,
      migration('completed'),
      closed,
    ],
    ['started', 'stopped', 'left', 'gone'],
  ],
  [
    'a source whose memory is gone through before it answers what it is',
    [found('running'), migration('active'), stop, pass, migration('completed'), is('finish-migrate')],
    ['started', 'stopped'],
  ],
  [
    'a source that answers only when all is over',
    [found('running'), migration('active'), stop, migration('completed'), is('postmigrate')],
    ['started', 'stopped'],
  ],
  [
    'a source with pause-before-switchover',
    [
      found('running'),
      migration('setup'),
      migration('active'),
      stop,
      migration('pre-switchover'),
      is('finish-migrate'),
      migration('device'),
      migration('completed'),
    ],
    ['started', 'stopped'],
  ],
  [
    'post-copy, at the source',
    [found('running'), migration('active'), migration('postcopy-active'), stop, migration('completed')],
    ['started', 'stopped'],
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
    [found('running'), migration('active'), stop, pass, migration('failed'), resume],
    ['started', 'stopped', 'aborted', 'resumed'],
  ],
  [
    'the destination killed at "pre-switchover", and the source told to go on',
    [
      found('running'),
      migration('setup'),
      pass,
      migration('active'),
      stop,
      migration('pre-switchover'),
      is('finish-migrate'),
      migration('device'),
      pass,
      migration('failed'),
      resume,
    ],
    ['started', 'stopped', 'aborted', 'resumed'],
  ],
  [
    'the destination killed at "pre-switchover", and the source told to give up',
    [
      found('running'),
      migration('active'),
      stop,
      migration('pre-switchover'),
      is('finish-migrate'),
      migration('device'),
      migration('cancelling'),
      resume,
      migration('cancelled'),
    ],
    ['started', 'stopped', 'resumed', 'aborted'],
  ],
  [
    'cancelled, at the destination: it says so and exits',
    [found('inmigrate'), migration('setup'), migration('active'), migration('failed'), closed],
    ['incoming', 'aborted', 'gone'],
  ],
  ['a destination that dies without a word', [found('inmigrate'), closed], ['incoming', 'aborted', 'gone']],
  [
    'taken back after "completed": the destination could not run it',
    [found('running'), migration('active'), stop, pass, migration('completed'), resume],
    ['started', 'stopped', 'aborted', 'resumed'],
  ],
  ['a pause by hand is no migration', [found('running'), stop, is('paused'), resume], ['started']],
  ['an I/O error is no migration', [found('running'), stop, is('io-error'), resume], ['started']],
  [
    'a background snapshot: the VM runs when it is complete',
    [
      found('running'),
      migration('setup'),
      migration('active'),
      stop,
      resume,
      is('running'),
      migration('completed'),
      is('running'),
      stop,
      is('paused'),
      closed,
    ],
    ['started', 'gone'],
  ],
  [
    'a background snapshot that is looked at before the VM goes on',
    [
      found('running'),
      migration('active'),
      stop,
      is('paused'),
      resume,
      migration('completed'),
      is('running'),
    ],
    ['started'],
  ],
  [
    'savevm: a migration within a pause',
    [
      found('running'),
      stop,
      migration('setup'),
      pass,
      pass,
      migration('completed'),
      resume,
      is('running'),
      is('running'),
    ],
    ['started'],
  ],
  [
    'stop and cont by hand while a migration is under way, which then succeeds',
    [
      found('running'),
      migration('active'),
      stop,
      is('paused'),
      resume,
      stop,
      is('paused'),
      resume,
      pass,
      stop,
      pass,
      is('finish-migrate'),
      migration('completed'),
      closed,
    ],
    ['started', 'stopped', 'left', 'gone'],
  ],
  [
    'stop by hand while a migration is under way, which succeeds: the VM is paused at the destination',
    [
      found('running'),
      migration('active'),
      stop,
      is('paused'),
      pass,
      migration('completed'),
      is('postmigrate'),
    ],
    ['started', 'stopped'],
  ],
  [
    'stop by hand just when the memory is gone through: taken back',
    [found('running'), migration('active'), stop, pass, is('paused'), resume, migration('cancelled')],
    ['started', 'stopped', 'resumed'],
  ],
  [
    'a VM that is paused is migrated',
    [found('paused'), migration('active'), migration('pre-switchover'), migration('completed'), closed],
    ['started', 'stopped', 'left', 'gone'],
  ],
  [
    'a switch-over whose begin went unheard',
    [found('running'), stop, is('finish-migrate'), migration('completed'), closed],
    ['started', 'stopped', 'left', 'gone'],
  ],
  [
    'one that is over when looked at',
    [found('running'), stop, is('postmigrate'), closed],
    ['started', 'stopped', 'left', 'gone'],
  ],
  ['found while a snapshot is taken', [found('paused', 'active'), resume, closed], ['started', 'gone']],
  [
    'attached in mid-migration, at the source',
    [found('running', 'active'), stop, pass, migration('completed')],
    ['started', 'stopped'],
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
      pass,
      migration('completed'),
      closed,
    ],
    ['incoming', 'arrived', 'resumed', 'stopped', 'left', 'gone'],
  ],
  [
    'a second attempt after a cancelled one',
    [
      found('running'),
      migration('active'),
      migration('cancelled'),
      migration('setup'),
      stop,
      pass,
      migration('completed'),
    ],
    ['started', 'aborted', 'stopped'],
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
    fc.constant(pass),
    fc.constantFrom(...states).map(is),
    fc.constantFrom(...words).map(migration),
    fc.tuple(fc.constantFrom(...states), fc.option(fc.constantFrom(...words))).map(([s, m]) => found(s, m)),
  );
  fc.assert(
    fc.property(fc.array(input, { maxLength: 40 }), (inputs) => {
      let runs = false;
      let state: QmpState = 'unknown';
      const kinds = inputs.flatMap((input) => {
        const next = qmpStep(state, input);
        state = next.state;
        return next.emit;
      });
      for (const kind of kinds) {
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
