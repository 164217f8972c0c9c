import assert from 'node:assert/strict';
import { it } from 'node:test';
import { listNamespaces } from '../../src/linux/net/namespace.ts';
import { hairpin } from '../kit/cli/hairpin.ts';

it('hairpin bench control measures all that it says, and leaves nothing behind', async () => {
  const before = await listNamespaces('hp-control-'); // somebody else's
  const { code, stdout, stderr } = await hairpin(['bench', 'control', '--quick', '--json']);
  assert.equal(code, 0, stderr);
  const report = JSON.parse(stdout) as Record<string, unknown>;
  for (const name of ['answerMs', 'lldpadAnswerMs'])
    assert.deepEqual(Object.keys(report[name] as object), ['p50', 'p99']);
  const signature = report['signature'] as Record<string, object | number>;
  for (const name of ['signedAnswerMs', 'unsignedAnswerMs'])
    assert.deepEqual(Object.keys(signature[name] as object), ['p50', 'p99']);
  for (const name of ['signUs', 'verifyUs']) assert.ok((signature[name] as number) > 0, name);
  for (const many of [report, report['draft'] as Record<string, unknown>])
    for (const name of ['sequential1000', 'burst1000']) {
      const { ms, lost } = many[name] as { ms: number; lost: number };
      assert.ok(ms > 0);
      // none is lost in what lldpad-many.test.ts does; a quick run on a busy machine only has to count them
      assert.ok(lost >= 0 && lost < 1000, name);
    }
  const { vsis, ms, bytesPerVsi, lastVsFirst } = report['scale10000'] as Record<string, number>;
  assert.equal(vsis, 1000);
  for (const figure of [ms, bytesPerVsi, lastVsFirst]) assert.ok(figure! > 0);
  for (const name of ['machine', 'kernel', 'versions']) assert.ok(report[name], name);
  const left = (await listNamespaces('hp-control-')).filter((name) => !before.includes(name));
  assert.deepEqual(left, []);
});
