import assert from 'node:assert/strict';
import { test } from 'node:test';
import { lossToVm } from '../../../src/lab/loss.ts';

test('each lost frame is told apart by where the network had sent it, and when', () => {
  const move = { source: 0, destination: 1, stoppedAt: 100, resumedAt: 120 };
  const lost = [
    { by: 0, at: 99 },
    { by: 0, at: 100 },
    { by: 0, at: 500 },
    { by: 1, at: 119 },
    { by: 1, at: 120 },
    { by: 1, at: 121 },
    { by: 1, at: 122 },
    null,
  ].map((left, sequence) => ({ sequence, left }));
  assert.deepEqual(lossToVm(lost, move), { sourceTap: 1, beforeFlip: 2, queueFull: 1, afterFlip: 4 });
});
