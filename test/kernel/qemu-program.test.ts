import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { run } from '../../src/linux/run.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

test('the committed guest program is what Debian’s clang makes of its source', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'hp-program-'));
  try {
    await run(join(root, 'scripts/build-guest-program'), [join(directory, 'stream')]);
    const built = readFileSync(join(directory, 'stream'));
    assert.ok(
      built.equals(readFileSync(join(root, 'src/lab/guest/program/stream'))),
      'run scripts/build-guest-program and commit what it makes',
    );
  } finally {
    rmSync(directory, { recursive: true });
  }
});
