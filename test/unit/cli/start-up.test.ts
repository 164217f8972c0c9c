import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { it } from 'node:test';
import { fileURLToPath } from 'node:url';

const cli = fileURLToPath(new URL('../../../src/cli', import.meta.url));

it('--version, --help and a wrong command line load no library but commander', () => {
  assert.deepEqual(loadedBy('main.ts'), ['commander']);
});

it('a client of the manager loads no other library than what reads its answers', () => {
  for (const file of ['object-actions.ts', '../client/client.ts'])
    assert.deepEqual(loadedBy(file), ['ipaddr.js', 'zod']);
});

/** The packages that a file loads, itself or by the files that it imports; what it imports only when it runs is left out. */
function loadedBy(file: string): string[] {
  const files = new Set([join(cli, file)]);
  const packages = new Set<string>();
  for (const each of files)
    for (const [, of] of readFileSync(each, 'utf8').matchAll(/^import (?!type\b)[^;]*?'([^']+)';/gm))
      if (of!.startsWith('.')) files.add(join(dirname(each), of!));
      else if (!of!.startsWith('node:')) packages.add(of!);
  return [...packages].sort();
}
