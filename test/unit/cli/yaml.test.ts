import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, it } from 'node:test';
import { readYaml } from '../../../src/cli/config-file.ts';
import { Failure } from '../../../src/base/failure.ts';

const directory = mkdtempSync(join(tmpdir(), 'hp-yaml-'));
after(() => rmSync(directory, { recursive: true }));

it('what is YAML and stands for no value is refused in one line', () => {
  const file = join(directory, 'x.yaml');
  const tens = (name: string) => `[${Array(10).fill(`*${name}`).join()}]`;
  for (const [text, complaint] of [
    ['name: *x', 'Unresolved alias (the anchor must be set before the alias): x'],
    ['name: a\n---\nname: b', 'has several documents; one would be right'],
    [
      `- &a [1]\n- &b ${tens('a')}\n- &c ${tens('b')}\n- ${tens('c')}`,
      'Excessive alias count indicates a resource exhaustion attack',
    ],
  ] as const) {
    writeFileSync(file, text);
    assert.throws(() => readYaml(file), new Failure(`${file}: ${complaint}`, 2));
  }
});
