import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { closeSync, constants, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { test } from 'node:test';
import { executable } from '../../kit/cli/hairpin.ts';

for (const [what, args] of Object.entries({
  'hairpin vsi put -': ['vsi', 'put', '-'],
  'hairpin station --config -': ['station', '--config', '-'],
}))
  test(`${what} waits for a pipe that is not ready, and reads it to its end`, async () => {
    const directory = mkdtempSync(join(tmpdir(), 'hp-pipe-'));
    const path = join(directory, 'pipe');
    execFileSync('mkfifo', [path]);
    const writer = openSync(path, constants.O_RDWR);
    const reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      const child = spawn(executable, args, { stdio: [reader, 'ignore', 'pipe'] });
      closeSync(reader);
      let complaint = '';
      child.stderr!.setEncoding('utf8').on('data', (text: string) => (complaint += text));
      const ended = new Promise((resolve) => child.on('close', resolve));
      await wait(300);
      // more than a pipe holds at a time, so that the reader is ahead again and again
      writeSync(writer, 'name: one\n');
      await wait(300);
      for (let line = 0; line < 1000; line++) writeSync(writer, `# ${'x'.repeat(100)}\n`);
      await wait(100);
      writeSync(writer, 'atTheEnd: true\n');
      closeSync(writer);
      assert.equal(await ended, 2, complaint);
      assert.match(complaint, /^hairpin: -: .*\batTheEnd\b/m);
      assert.doesNotMatch(complaint, /EAGAIN/);
    } finally {
      rmSync(directory, { recursive: true });
    }
  });
