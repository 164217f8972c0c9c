import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, it } from 'node:test';
import { createNamespace, deleteNamespace, nsenter } from '../../src/linux/net/namespace.ts';
import { ip } from '../../src/linux/run.ts';
import { executable, hairpin } from '../kit/cli/hairpin.ts';

const prefix = `hp-sa${process.pid}`;
const directory = `/run/${prefix}`;
const file = join(directory, 'station.yaml');
const control = join(directory, 'h1.sock');
const config = { name: 'h1', uplink: 'up0', manager: `unix:${directory}/none.sock`, control };
let agent: ChildProcess;
const logged: string[] = [];

before(async () => {
  mkdirSync(join(directory, 'monitors'), { recursive: true });
  await createNamespace(prefix);
  await ip(prefix, ['link add up0 type veth peer name p0', 'link set up0 up', 'link set p0 up']);
  write(config);
  const [command, ...args] = nsenter(prefix, [executable, 'station', '--config', file]);
  agent = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  createInterface(agent.stdout!).on('line', (line) => {
    logged.push((JSON.parse(line) as { msg: string }).msg);
    agent.emit('logged');
  });
  await says(/^ready$/);
});

after(async () => {
  if (agent.exitCode === null && agent.kill('SIGKILL')) await once(agent, 'exit');
  await deleteNamespace(prefix);
  rmSync(directory, { recursive: true });
});

function write(content: object): void {
  writeFileSync(file, JSON.stringify(content));
}

/** The first line of the log from `start` on that fits, when it is there. */
async function says(line: RegExp, start = 0): Promise<string> {
  for (;;) {
    const found = logged.slice(start).find((each) => line.test(each));
    if (found !== undefined) return found;
    await once(agent, 'logged');
  }
}

async function reload(content: object): Promise<string> {
  const start = logged.length;
  write(content);
  agent.kill('SIGHUP');
  return says(/^the configuration was read again/, start);
}

it('an event of a VM that is unknown is an error in one line, and no grant', async () => {
  for (const event of ['gone', 'left', 'stopped', 'aborted']) {
    const ended = await hairpin(
      ['station', 'announce', event, 'web9', '--mac', '52:54:00:00:00:09', '--control', control],
      {},
    );
    assert.deepEqual(ended, {
      code: 1,
      stdout: '',
      stderr: `hairpin: ${event}: VM web9 is unknown here; "started" or "incoming" makes a VM known`,
    });
  }
});

it('SIGHUP: what can change is in force; what is wrong or cannot change is one line, and changes nothing', async () => {
  const qemu = { directory: join(directory, 'monitors') };
  assert.equal(
    await reload({ ...config, qemu, setUpWhenArmed: false, token: 'secret' }),
    'the configuration was read again, and is in force',
  );
  assert.match(
    await reload({ ...config, qemu: { directory: '/none' } }),
    /nothing was changed: .*does not exist/,
  );
  assert.match(await reload({ ...config, uplnk: 1 }), /nothing was changed: .*uplnk: is not a known key/);
  assert.match(
    await reload({ ...config, uplink: 'p0', name: 'h2' }),
    /nothing was changed: (name, uplink|uplink, name) cannot change while the station runs; to restart it would be right/,
  );
  // the directory that is in force is watched: its end is noticed
  rmSync(qemu.directory, { recursive: true });
  await says(/monitors: the monitor directory is gone/);
  assert.equal(agent.exitCode, null);
});
