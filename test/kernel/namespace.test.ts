import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';

test('a process notices that its mounts are its own, as under "ip netns exec"', () => {
  const module = new URL('../../src/linux/net/namespace.ts', import.meta.url);
  const script = `import { hasMountsOfItsOwn } from '${module.href}'; console.log(hasMountsOfItsOwn())`;
  const answer = execFileSync('unshare', ['--mount', process.execPath, '--input-type=module', '-e', script]);
  assert.equal(answer.toString(), 'true\n');
});
