import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Failure } from '../../../src/base/failure.ts';
import { interruptible } from '../../../src/cli/interrupt.ts';
import { hairpin } from '../../kit/cli/hairpin.ts';

it('an answer that cannot be written is a failure, and says so', async () => {
  for (const [where, why] of [
    ['>/dev/full', 'no space left on device'],
    ['>&-', 'bad file descriptor'],
  ] as const) {
    const under = ['sh', '-c', `exec "$@" ${where}`, 'sh'];
    const { code, stderr } = await hairpin(['bridge', 'drops', '--explain'], { under });
    assert.deepEqual([code, stderr], [1, `hairpin: standard output: ${why}`]);
  }
});

it('what fails after a signal was interrupted, and fails for no other reason', async () => {
  const stop = new AbortController();
  const failing = () => Promise.reject(new Error('the streams ended'));
  await assert.rejects(interruptible(failing, stop.signal), /the streams ended/);
  stop.abort(new Failure('interrupted', 130));
  await assert.rejects(interruptible(failing, stop.signal), new Failure('interrupted', 130));
  assert.equal(await interruptible(() => Promise.resolve('done'), stop.signal), 'done');
});

it('"npm start" leaves no shell between npm, which passes signals on, and the lab', () => {
  const file = fileURLToPath(new URL('../../../package.json', import.meta.url));
  const { scripts } = JSON.parse(readFileSync(file, 'utf8')) as { scripts: { start: string } };
  assert.match(scripts.start, / && exec \.\/hairpin lab up$/);
});
