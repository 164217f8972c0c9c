import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { after, afterEach, describe, it } from 'node:test';
import type { LabStatus } from '../../src/lab/lab.ts';
import type { MigrationRun } from '../../src/lab/migrate.ts';
import { answers } from '../../src/local/socket-path.ts';
import { labDirectory, labSocket } from '../../src/lab/place.ts';
import { listNamespaces } from '../../src/linux/net/namespace.ts';
import { executable, hairpin } from '../kit/cli/hairpin.ts';
import { assertComparison } from '../kit/lab/comparison-asserts.ts';
import { until } from '../kit/lab/kit.ts';
import { assertMigrated } from '../kit/lab/migration-asserts.ts';

const id = 't6';
const own = ['--id', id];

after(async () => {
  await hairpin(['lab', 'down', ...own]);
  rmSync(`/run/hp-${id}.log`, { force: true });
});

describe('"hairpin lab compare"', () => {
  for (const silent of [false, true])
    it(`prints what was measured of a VM that ${silent ? 'only receives' : 'speaks'}, and leaves nothing behind`, async () => {
      const args = ['lab', 'compare', '--runs', '1', '--json', ...(silent ? ['--silent'] : []), ...own];
      const { code, stdout, stderr } = await hairpin(args);
      assert.equal(code, 0, stderr);
      const strategies = ['profile-first', 'garp', 'learning'];
      assertComparison(JSON.parse(stdout), { runs: 1, silent, strategies });
      assert.deepEqual(await remains(), []);
    });
});

describe('"hairpin lab up --detach"', () => {
  afterEach(() => hairpin(['lab', 'down', ...own]));

  it('comes back with the lab up; status, migrate and down work on it, and then nothing is left', async () => {
    const started = await json<LabStatus>([
      'lab',
      'up',
      '--detach',
      '--listen',
      '127.0.0.1:0',
      '--json',
      ...own,
    ]);
    const status = await json<LabStatus>(['lab', 'status', '--json', ...own]);
    assert.deepEqual(status, started);
    assert.deepEqual([status.kind, status.vmKind, status.processes.length], ['kernel', 'netns', 4]);
    assert.match(status.manager, /^http:\/\/127\.0\.0\.1:\d+$/);
    assert.deepEqual(hostsOf(status), { a: 'h1', b: 'h1', c: 'h2' });

    const run = await json<MigrationRun>(['lab', 'migrate', 'a', 'h2', '--json', ...own]);
    assertMigrated(run, { strategy: 'profile-first', from: 'h1', to: 'h2' });
    assert.deepEqual(hostsOf(await json<LabStatus>(['lab', 'status', '--json', ...own])), {
      a: 'h2',
      b: 'h1',
      c: 'h2',
    });
    const vsis = await json<{ name: string; status: { port: string } }[]>([
      'vsi',
      'ls',
      '--json',
      '--manager',
      status.manager,
    ]);
    assert.equal(vsis.find(({ name }) => name === 'a')?.status.port, 'p2');

    for (const [args, complaint] of [
      [['a', 'h2'], /^hairpin: VM a is on h2 already$/],
      [['a', 'h3'], /^hairpin: no host "h3"; h1 or h2 would be right$/],
      [['d', 'h1'], /^hairpin: no VM "d"; a, b, c would be right$/],
      [['c', 'h1'], /^hairpin: VM "c" cannot be measured: [^\n]*$/],
    ] as const) {
      const { code, stdout, stderr } = await hairpin(['lab', 'migrate', ...args, ...own]);
      assert.match(stderr, complaint);
      assert.deepEqual([code === 0, stdout], [false, '']);
    }
    const again = await hairpin(['lab', 'up', '--detach', ...own]);
    assert.match(again.stderr, /^hairpin: lab t6 is up already; [^\n]*$/);
    assert.equal(again.code, 1);
    assert.deepEqual(hostsOf(await json<LabStatus>(['lab', 'status', '--json', ...own])), {
      a: 'h2',
      b: 'h1',
      c: 'h2',
    });

    const sw = status.processes.find(({ name }) => name === 'sw')!;
    process.kill(sw.pid!, 'SIGKILL');
    await until('its end', () => !lives(sw.pid!));
    for (const args of [['status'], ['migrate', 'a', 'h1']]) {
      const { code, stderr } = await hairpin(['lab', ...args, ...own]);
      assert.match(stderr, /^hairpin: sw \(SIGKILL\) ended though nobody stopped it; [^\n]*$/);
      assert.equal(code, 1);
    }

    const down = { code: 0, stdout: `lab ${id} is down\n`, stderr: '' };
    assert.deepEqual(await hairpin(['lab', 'down', ...own]), down);
    assert.deepEqual(await remains(), []);
    for (const { name, pid } of status.processes) assert.equal(lives(pid!), false, name);
  });
});

describe('a lab in the foreground', () => {
  let lab: ChildProcess | undefined;

  afterEach(async () => {
    lab?.kill('SIGKILL');
    await hairpin(['lab', 'down', ...own]);
  });

  it('is taken down by Ctrl-C', async () => {
    lab = await upInForeground();
    assert.equal(await ended(lab, 'SIGINT'), 0);
    assert.deepEqual(await remains(), []);
  });

  it('that was killed is cleaned up by "lab down"', async () => {
    lab = await upInForeground();
    const { processes } = await json<LabStatus>(['lab', 'status', '--json', ...own]);
    await ended(lab, 'SIGKILL');
    assert.ok((await remains()).length > 0, 'it could not clean up');
    const { code, stdout } = await hairpin(['lab', 'down', ...own]);
    assert.deepEqual([code, stdout], [0, `lab ${id} was not up any more; what was left of it is removed\n`]);
    assert.deepEqual(await remains(), []);
    for (const { name, pid } of processes) assert.equal(lives(pid!), false, name);
  });

  it('that is interrupted while it comes up leaves nothing either', async () => {
    lab = start();
    await until('its first namespaces', async () => (await listNamespaces(`hp-${id}-`)).length > 2);
    assert.equal(await ended(lab, 'SIGINT'), 130);
    assert.deepEqual(await remains(), []);
  });
});

function start(): ChildProcess {
  return spawn(executable, ['lab', 'up', '--listen', '127.0.0.1:0', ...own], { stdio: 'ignore' });
}

async function upInForeground(): Promise<ChildProcess> {
  const lab = start();
  await until('the lab', () => answers(labSocket(id)), 15_000);
  return lab;
}

async function ended(lab: ChildProcess, signal: NodeJS.Signals): Promise<number | null> {
  lab.kill(signal);
  await until(`its end by ${signal}`, () => lab.exitCode !== null || lab.signalCode !== null, 15_000);
  return lab.exitCode;
}

async function json<T>(args: readonly string[]): Promise<T> {
  const { code, stdout, stderr } = await hairpin(args);
  assert.equal(code, 0, `hairpin ${args.join(' ')}: ${stderr}`);
  return JSON.parse(stdout) as T;
}

function hostsOf({ vms }: LabStatus): Record<string, string | null> {
  return Object.fromEntries(vms.map(({ name, host }) => [name, host]));
}

/** What is left of the lab: its namespaces, its mounts, its directory, and processes that mention it. */
async function remains(): Promise<string[]> {
  const directory = labDirectory(id);
  const mounts = readFileSync('/proc/self/mounts', 'utf8').split('\n');
  const processes = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(commandLine);
  const files = readdirSync('/run').map((name) => `/run/${name}`);
  return [
    ...(await listNamespaces(`hp-${id}-`)),
    ...mounts.filter((line) => line.includes(`${directory}/`)),
    ...processes.filter((line) => line.includes(`${directory}/`) || line.includes(`/hp-${id}-`)),
    ...files.filter((file) => file === directory),
  ];
}

/** Whether the process is more than an entry that nobody has asked after. */
function lives(pid: number): boolean {
  return commandLine(String(pid)) !== '';
}

function commandLine(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
  } catch {
    return ''; // it has ended meanwhile
  }
}
