import assert from 'node:assert/strict';
import { it } from 'node:test';
import { hairpin } from '../../kit/cli/hairpin.ts';

it('--help exits 0 at every level, and lists every level below', async () => {
  const seen: string[] = [];
  let level = [''];
  while (level.length > 0) {
    seen.push(...level);
    level = (await Promise.all(level.map(below))).flat();
  }
  for (const path of [
    'lab up',
    'lab compare',
    'bench control',
    'manager',
    'bridge',
    'station announce',
    'profile put',
    'migration get',
  ])
    assert.ok(seen.includes(path), `${path} is missing among ${seen.join(', ')}`);
});

/** The commands below one, as its help has them. */
async function below(command: string): Promise<string[]> {
  const path = command.split(' ').filter(Boolean);
  const { code, stdout, stderr } = await hairpin([...path, '--help']);
  assert.deepEqual([command, code, stderr], [command, 0, '']);
  assert.match(stdout, new RegExp(`^Usage: ${['hairpin', ...path].join(' ')}\\b`));
  const [, commands = ''] = stdout.split('\nCommands:\n');
  return Array.from(commands.matchAll(/^ {2}(\S+)/gm), ([, name]) => [...path, name!].join(' ')).filter(
    (name) => !name.endsWith('help'),
  );
}
