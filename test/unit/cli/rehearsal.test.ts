import assert from 'node:assert/strict';
import { test } from 'node:test';
import { rehearse } from '../../../src/cli/rehearsal.ts';

test('a rehearsal is of whole moves: each is flipped at the word of its source, and confirmed', async () => {
  assert.equal(await rehearse(5), 5);
});
