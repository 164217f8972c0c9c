import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));

test('docs/conformance.md names tests that are there', () => {
  const page = readFileSync(join(root, 'docs/conformance.md'), 'utf8');
  const named = [...page.matchAll(/(\S+\.test\.ts) “([^”]+)”/g)].map(([, file, name]) => ({
    file: file!.replace(/^\(/, ''),
    name: name!,
  }));
  assert.ok(named.length > 80, `only ${named.length} tests are named`);
  const missing = named.filter(({ file, name }) => {
    const path = file.includes('/') ? file : `test/unit/protocol/${file}`;
    return !readFileSync(join(root, path), 'utf8').includes(name);
  });
  assert.deepEqual(missing, []);
  const rows = page.split('\n').filter((line) => line.startsWith('|') && !/^\|(-|\s*behaviour)/.test(line));
  assert.deepEqual(
    rows.filter((row) => !row.includes('.test.ts “')),
    [],
    'each behaviour has its test',
  );
});
