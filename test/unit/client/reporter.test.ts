import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ApiError } from '../../../src/client/api-error.ts';
import { Reporter } from '../../../src/client/reporter.ts';

/** A reporter, and what it has told a manager that can be away. */
function telling() {
  const told: string[] = [];
  const manager = { away: false, calls: 0 };
  const reporter = new Reporter((refused) => told.push(`refused: ${refused}`));
  const tell = (what: string, key?: string) =>
    reporter.tell(async () => {
      manager.calls++;
      await Promise.resolve();
      if (manager.away) throw new ApiError('nothing listens there', null);
      if (what.startsWith('wrong')) throw new ApiError(what, 400);
      told.push(what);
    }, key);
  return { told, manager, reporter, tell };
}

test('what happened is told in order, and of a state only the newest', async () => {
  const { told, reporter, tell } = telling();
  tell('web1 at p1', 'web1');
  tell('reserve');
  tell('wrong');
  tell('web1 at p2', 'web1');
  tell('ready');
  await reporter.close();
  assert.deepEqual(told, ['reserve', 'refused: wrong', 'web1 at p2', 'ready']);
});

test('a manager that was away is told what it missed, in order; a call under way that is overtaken is not made again', async () => {
  const { told, manager, reporter, tell } = telling();
  manager.away = true;
  tell('web1 at p1', 'web1');
  tell('reserve');
  while (manager.calls === 0) await new Promise((resolve) => setImmediate(resolve));
  tell('web1 at p2', 'web1');
  manager.away = false;
  tell('ready');
  await reporter.close(10_000);
  assert.deepEqual(told, ['reserve', 'web1 at p2', 'ready']);
});

test('a manager that is frozen keeps no agent from ending', async () => {
  const { promise: answer, resolve: thaw } = Promise.withResolvers<void>();
  let calls = 0;
  const reporter = new Reporter(() => {});
  for (let i = 0; i < 3; i++)
    reporter.tell(() => {
      calls++;
      return answer;
    });
  await reporter.close(10);
  assert.equal(calls, 1);
  thaw();
  for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
  assert.equal(calls, 1, 'what waited is given up');
});

test('of calls that wait for a manager that is away, the oldest are forgotten first', async () => {
  const { told, manager, reporter, tell } = telling();
  manager.away = true;
  for (let i = 0; i < 10_002; i++) tell(`${i}`, `${i}`);
  manager.away = false;
  await reporter.close(60_000);
  assert.deepEqual([told.length, told[0], told.at(-1)], [10_000, '2', '10001']);
});
