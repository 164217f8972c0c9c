import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import {
  type MigrationReport,
  moments,
  repeatable,
  type Migration,
  type Moment,
} from '../../../src/domain/migration.ts';
import { applyReport, belongs, newMigration, type Refused } from '../../../src/manager/migration/machine.ts';
import { vsiIdOf } from '../../kit/manager/support.ts';

const vsiId = vsiIdOf(1);
const report = (moment: MigrationReport['moment'], at: number, more: Partial<MigrationReport> = {}) => ({
  vsiId,
  moment,
  at,
  by: 'test',
  ...more,
});

function apply(migration: Migration, ...reports: MigrationReport[]): Migration {
  return reports.reduce((before, each) => {
    const after = applyReport(before, each);
    assert(!('refused' in after), (after as Refused).refused);
    return after;
  }, migration);
}

function refused(migration: Migration, each: MigrationReport): string {
  const after = applyReport(migration, each);
  assert('refused' in after, `${each.moment} was taken`);
  return after.refused;
}

const fresh = newMigration('7', report('announce', 1));
const through = (last: Moment) =>
  apply(fresh, ...moments.slice(0, moments.indexOf(last) + 1).map((moment, i) => report(moment, 10 + i)));

describe('a migration', () => {
  it('goes through its states in the order of its moments', () => {
    const states = moments.map((moment) => through(moment).state);
    assert.deepEqual(states, [
      'announced',
      'reserving',
      'ready',
      'switching',
      'switching',
      'switching',
      'switching',
      'active',
      'released',
    ]);
    assert.deepEqual(through('release').times, {
      announce: 10,
      reserve: 11,
      ready: 12,
      stop: 13,
      flip: 14,
      undo: 15,
      resume: 16,
      active: 17,
      release: 18,
    });
  });

  it('ends in the same state whatever order its reports come in', () => {
    const all = moments.map((moment, i) => report(moment, i));
    fc.assert(
      fc.property(fc.shuffledSubarray(all), fc.array(fc.constantFrom(...all)), (reports, again) => {
        const inOrder = [...reports].sort((a, b) => a.at - b.at);
        const repeated = again.filter((each) => reports.includes(each));
        assert.deepEqual(apply(fresh, ...reports, ...repeated), apply(fresh, ...inOrder));
      }),
    );
  });

  it('keeps the first time it is told of a moment', () => {
    const twice = apply(fresh, report('reserve', 5), report('reserve', 9));
    assert.equal(twice.times.reserve, 5);
  });

  it('keeps the last time of a flip and of its undo, which may come again, also after its end', () => {
    const flipped = apply(fresh, report('flip', 5), report('undo', 6), report('flip', 9), report('flip', 7));
    assert.deepEqual([flipped.times.flip, flipped.times.undo, flipped.state], [9, 6, 'switching']);
    const aborted = apply(flipped, report('abort', 11), report('undo', 10));
    assert.deepEqual([aborted.times.undo, aborted.state], [10, 'aborted']);
  });

  it('knows what each agent has counted as lost, which grows', () => {
    const counted = apply(
      fresh,
      report('undo', 5, { lost: { undone: 7 } }),
      report('stop', 6, { lost: { sourceTap: 0, beforeFlip: 3 } }),
      report('undo', 4, { lost: { undone: 2 } }),
    );
    assert.deepEqual(counted.lost, { undone: 7, sourceTap: 0, beforeFlip: 3 });
  });

  it('learns source and destination once, and refuses others', () => {
    const source = { bridge: 'sw', port: 'p1' };
    const destination = { bridge: 'sw', port: 'p2' };
    const known = apply(fresh, report('announce', 1), report('reserve', 2, { source, destination }));
    assert.deepEqual([known.source, known.destination], [source, destination]);
    assert.equal(
      refused(known, report('ready', 3, { destination: source })),
      'migration 7 goes to sw p2, not sw p1',
    );
    assert.equal(
      refused(known, report('stop', 3, { source: destination })),
      'migration 7 leaves sw p1, not sw p2',
    );
    assert.equal(
      refused(known, report('stop', 3, { strategy: 'garp' })),
      'migration 7 has strategy profile-first, not garp',
    );
  });

  it('takes the latest counts of each port', () => {
    const count = { framesFromVm: 1, framesToVm: 2, dropped: { armed: 3 }, firstFrame: 4, lastFrame: null };
    const first = apply(fresh, report('active', 1, { counts: { source: count } }));
    assert.deepEqual(first.counts, { source: count, destination: null });
    const more = { ...count, framesFromVm: 9 };
    const then = apply(first, report('release', 2, { counts: { source: more, destination: count } }));
    assert.deepEqual(then.counts, { source: more, destination: count });
    assert.deepEqual(apply(then, report('resume', 3, { counts: { source: null } })).counts, then.counts);
  });

  for (const [moment, state] of [
    ['abort', 'aborted'],
    ['fail', 'failed'],
  ] as const) {
    it(`can be ${state} at any time before it is released, and then for good`, () => {
      for (const last of moments.slice(0, -1)) {
        const ended = apply(through(last), report(moment, 50, { reason: 'no room' }));
        assert.deepEqual([ended.state, ended.reason], [state, 'no room']);
        const again = apply(ended, report(moment, 51, { reason: 'another' }), report('stop', 52));
        assert.deepEqual([again.state, again.reason], [state, 'no room']);
        assert.equal(again.times.stop, through(last).times.stop ?? 52);
        assert.match(
          refused(ended, report('release', 53)),
          new RegExp(`is ${state}; "release" comes too late`),
        );
        const opposite = moment === 'abort' ? 'fail' : 'abort';
        assert.match(refused(ended, report(opposite, 53)), /it cannot (abort|fail) any more/);
      }
      assert.match(refused(through('release'), report(moment, 50)), /is released; it cannot/);
    });
  }

  it('never leaves an end, never goes back, and never loses a time', () => {
    const rank = (state: Migration['state']) =>
      ['announced', 'reserving', 'ready', 'switching', 'active', 'released', 'aborted', 'failed'].indexOf(
        state,
      );
    const anyReport = fc.record({
      moment: fc.constantFrom(...moments, 'abort' as const, 'fail' as const),
      at: fc.nat(1000),
    });
    fc.assert(
      fc.property(fc.array(anyReport, { maxLength: 20 }), (reports) => {
        let migration = fresh;
        for (const { moment, at } of reports) {
          const after = applyReport(migration, report(moment, at));
          if ('refused' in after) continue;
          assert(rank(after.state) >= rank(migration.state), `${migration.state} to ${after.state}`);
          for (const [known, time] of Object.entries(migration.times) as [Moment, number][])
            if (repeatable.has(known)) assert(after.times[known]! >= time);
            else assert.equal(after.times[known], time);
          migration = after;
        }
      }),
    );
  });
});

describe('a report belongs', () => {
  it('to a new migration when it announces or reserves one', () => {
    for (const moment of ['announce', 'reserve'] as const)
      assert.equal(belongs(null, report(moment, 1)), 'new');
  });

  it('to a new one when it is active of strategy garp, which nobody announced', () => {
    assert.equal(belongs(null, report('active', 1, { strategy: 'garp' })), 'new');
    assert.equal(newMigration('1', report('active', 1)).strategy, 'garp');
    assert.deepEqual(belongs(null, report('active', 1)), {
      refused: `VSI ${vsiId} has no migration; "announce" or "reserve" opens one`,
    });
  });

  it('to the migration that is on its way', () => {
    for (const last of ['announce', 'reserve', 'ready', 'stop', 'resume'] as const)
      for (const moment of [...moments, 'abort', 'fail'] as const)
        if (moment !== 'announce') assert.equal(belongs(through(last), report(moment, 99)), 'latest');
  });

  it('to a new one in place of one that got stuck, when that is announced again, or reserved elsewhere', () => {
    const at = (port: string) => ({ destination: { bridge: 'sw', port } });
    assert.equal(belongs(through('ready'), report('announce', 99)), 'instead');
    assert.equal(belongs(through('ready'), report('announce', 10)), 'latest', 'the same one, told again');
    const reserved = apply(fresh, report('announce', 10), report('reserve', 11, at('p2')));
    assert.equal(belongs(reserved, report('reserve', 99, at('p3'))), 'instead');
    assert.equal(
      belongs(reserved, report('reserve', 99, at('p2'))),
      'latest',
      'first without, then with resources',
    );
  });

  it('to a new one when it opens one after the last has come to its end, whatever time it tells', () => {
    const aborted = apply(through('ready'), report('abort', 13));
    for (const settled of [through('active'), through('release'), aborted]) {
      assert.equal(belongs(settled, report('announce', 99)), 'new');
      assert.equal(belongs(settled, report('announce', 9)), 'new', 'from a host whose clock is behind');
      assert.equal(belongs(settled, report('reserve', 99)), 'new');
      assert.equal(belongs(settled, report('active', 99, { strategy: 'garp' })), 'new');
    }
  });

  it('to the latest when it comes late, or again', () => {
    for (const moment of ['stop', 'resume', 'release'] as const)
      assert.equal(belongs(through('active'), report(moment, 99)), 'latest');
    assert.equal(belongs(through('release'), report('announce', 10)), 'latest');
    const unannounced = apply(fresh, report('reserve', 20), report('active', 21));
    assert.equal(belongs(unannounced, report('announce', 19)), 'latest', 'it began with that');
    assert.equal(belongs(unannounced, report('announce', 22)), 'new');
    const old = through('release');
    const later = { ...old, times: { announce: 5_000_010 } };
    assert.equal(belongs(later, report('announce', 10)), 'latest', 'of one that is over');
  });
});
