import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';

/** Looks again until it holds. @throws AssertionError that says what did not hold in time */
export async function until(
  what: string,
  holds: () => Promise<boolean> | boolean,
  timeoutMs = 20_000,
): Promise<void> {
  for (const end = performance.now() + timeoutMs; !(await holds()); await sleep(20))
    assert.ok(performance.now() < end, `not within ${timeoutMs} ms: ${what}`);
}
