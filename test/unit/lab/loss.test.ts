import assert from 'node:assert/strict';
import { test } from 'node:test';
import { lossToVm } from '../../../src/lab/loss.ts';

const move = { source: 0, destination: 1, stoppedAt: 100, resumedAt: 120 };
const places = [
  { by: 0, at: 99 },
  { by: 0, at: 100 },
  { by: 0, at: 500 },
  { by: 1, at: 119 },
  { by: 1, at: 120 },
  { by: 1, at: 121 },
  { by: 1, at: 122 },
  null,
];
const probes = (received: boolean) => places.map((left, sequence) => ({ sequence, received, left }));

test('each lost frame is told apart by where the network had sent it, and when', () => {
  const loss = lossToVm(probes(false), move);
  assert.deepEqual(loss, { sourceTap: 1, beforeFlip: 2, queueFull: 1, afterFlip: 4 });
});

test('what left at the source after the stop is lost even if a kernel that does not stand still has taken it', () => {
  const loss = lossToVm(probes(true), move);
  assert.deepEqual(loss, { sourceTap: 0, beforeFlip: 2, queueFull: 0, afterFlip: 0 });
});
