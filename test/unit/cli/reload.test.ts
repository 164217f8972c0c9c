import assert from 'node:assert/strict';
import { once } from 'node:events';
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { it } from 'node:test';
import { executable } from '../../kit/cli/hairpin.ts';

it('SIGHUP ends no agent: a wrong file changes nothing and is one line, and SIGTERM still ends it', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'hp-reload-'));
  t.after(() => rmSync(directory, { recursive: true }));
  const file = join(directory, 'manager.yaml');
  const write = (more: object) =>
    writeFileSync(
      file,
      JSON.stringify({
        database: join(directory, 'manager.db'),
        listen: [`unix:${directory}/m.sock`],
        ...more,
      }),
    );
  write({});
  const agent = spawn(executable, ['manager', '--config', file], { stdio: ['ignore', 'pipe', 'inherit'] });
  t.after(() => agent.kill('SIGKILL'));
  const lines = createInterface(agent.stdout)[Symbol.asyncIterator]();
  const next = async () => (JSON.parse((await lines.next()).value as string) as { msg: string }).msg;
  while ((await next()) !== 'ready');

  write({ lisen: [] });
  agent.kill('SIGHUP');
  assert.match(
    await next(),
    /^the configuration was read again, and nothing was changed: .*manager\.yaml: lisen: is not a known key/,
  );

  write({});
  agent.kill('SIGHUP');
  assert.match(await next(), /^the configuration was read again[,;]/);

  agent.kill('SIGTERM');
  assert.equal(await next(), 'ending: SIGTERM');
  const [code] = (await once(agent, 'exit')) as [number];
  assert.equal(code, 0);
});
