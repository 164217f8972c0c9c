import assert from 'node:assert/strict';
import { test } from 'node:test';
import { VirtualClock } from '../../../src/base/virtual-clock.ts';

test('what is due happens in the order of time, then of asking; what is taken back does not', () => {
  const clock = new VirtualClock();
  const happened: string[] = [];
  const note = (name: string) => () => happened.push(`${name} at ${clock.now()}`);
  clock.at(20, note('late'));
  clock.at(10, note('first'));
  clock.at(10, () => {
    note('second')();
    clock.at(5, note('past')); // as soon as it can be
    clock.at(15, note('nested'));
  });
  const cancel = clock.at(12, note('never'));
  clock.pass(11);
  assert.deepEqual(happened, ['first at 10', 'second at 10', 'past at 10']);
  cancel();
  clock.passUntil(20);
  assert.deepEqual(happened.slice(3), ['nested at 15', 'late at 20']);
  assert.equal(clock.now(), 20);
});
