import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import type { HypervisorEvent, HypervisorWatcher } from '../../src/hypervisors/event.ts';
import { watchDirectory } from '../../src/hypervisors/qemu/directory-watcher.ts';
import { setTimeout as sleep } from 'node:timers/promises';
import { QmpClient } from '../../src/hypervisors/qemu/qmp-client.ts';

// QEMU without a guest: it says what it says of any.

let directory: string;
let watcher: HypervisorWatcher;
let told: EventEmitter<{ told: [] }>;
let events: HypervisorEvent[];
let problems: string[];
/** what a test expects to be told of the monitors; the others expect nothing */
let expected: RegExp[];
const children: ChildProcess[] = [];
const patience = 60_000;

beforeEach(() => {
  directory = mkdtempSync('/run/hp-qemu-');
  told = new EventEmitter();
  events = [];
  problems = [];
  expected = [];
  watcher = watchDirectory(directory, {
    suffix: '.ev',
    emit: (event) => {
      events.push(event);
      told.emit('told');
    },
    problem: (message) => problems.push(message),
    now: () => Date.now() * 1000,
    slowMs: 1000,
    nicsEveryMs: 100,
    lookEveryMs: 100,
  });
});

afterEach(async () => {
  watcher.close();
  for (const child of children.splice(0)) if (child.kill('SIGKILL')) await once(child, 'exit');
  rmSync(directory, { recursive: true, force: true });
  assert.equal(problems.length, expected.length, problems.join('\n'));
  for (const [i, problem] of problems.entries()) assert.match(problem, expected[i]!);
});

function qemu(name: string, ...args: string[]): ChildProcess {
  return named(name, name, ...args);
}

/** A process whose monitors have other names than its VM. */
function named(files: string, name: string, ...args: string[]): ChildProcess {
  const monitors = ['qmp', 'ev'].flatMap((suffix) => [
    '-qmp',
    `unix:${join(directory, `${files}.${suffix}`)},server=on,wait=off`,
  ]);
  const child = spawn(
    'qemu-system-x86_64',
    ['-name', name, '-nodefaults', '-display', 'none', '-accel', 'tcg', '-m', '16', ...monitors, ...args],
    { stdio: 'ignore' },
  );
  children.push(child);
  return child;
}

/** Whether a process that was sent SIGSTOP has stopped (proc(5), state T). */
function standsStill({ pid }: ChildProcess): boolean {
  return /\) T /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
}

async function until(count: number): Promise<void> {
  const signal = AbortSignal.timeout(patience);
  while (events.length < count) await once(told, 'told', { signal });
}

/** Whether the socket is one that accepts (unix(7), /proc/net/unix: flags), and not merely bound. */
function listens(path: string): boolean {
  const sockets = readFileSync('/proc/net/unix', 'utf8').split('\n');
  return sockets.some((line) => line.endsWith(` ${path}`) && line.split(' ')[3] === '00010000');
}

function of(vm: string): string[] {
  return events.filter((event) => event.vm === vm).map(({ kind }) => kind);
}

/** Resolves when the monitor has told of everything that came before. */
async function settled(): Promise<void> {
  await sleep(300);
}

/** A monitor of the toolstack's, and what it has told so far. */
async function toolstack(name: string) {
  const told: string[] = [];
  const path = join(directory, `${name}.qmp`);
  const qmp = await QmpClient.connect(path, {
    onEvent: ({ name, data }) => told.push(name === 'MIGRATION' ? (data['status'] as string) : name),
  });
  const events = [{ capability: 'events', state: true }];
  await qmp.execute('migrate-set-capabilities', { capabilities: events });
  return {
    qmp,
    told,
    can: (capability: string) =>
      qmp.execute('migrate-set-capabilities', { capabilities: [{ capability, state: true }] }),
    hears: async (event: string) => {
      while (!told.includes(event)) await sleep(5);
    },
  };
}

function kinds(): string[] {
  return events.map(({ vm, kind }) => `${vm} ${kind}`);
}

test('a machine that starts, is paused and quits; its NICs have the addresses they were given', async () => {
  const devices = [
    ['-machine', 'pc', '-netdev', 'hubport,id=n0,hubid=0', '-netdev', 'hubport,id=n1,hubid=0'],
    ['-device', 'virtio-net-pci,id=nic0,netdev=n0,romfile=,mac=52:54:00:aa:00:01'],
    ['-device', 'e1000,netdev=n1,romfile=,mac=52:54:00:aa:00:02'],
  ];
  const child = qemu('m1', ...devices.flat());
  const exited = once(child, 'exit');
  await until(1);
  const qmp = await QmpClient.connect(join(directory, 'm1.qmp'));
  await qmp.execute('stop');
  await qmp.execute('cont');
  await qmp.execute('quit').catch(() => {}); // it may be gone before it has answered
  await exited;
  await until(2);
  assert.deepEqual(kinds(), ['m1 started', 'm1 gone']);
  assert.deepEqual(events[0]!.macs, ['52:54:00:aa:00:01', '52:54:00:aa:00:02']);
});

test('a migration between two machines without a guest, told by both', async () => {
  qemu('src', '-machine', 'none');
  await until(1);
  qemu('dst', '-machine', 'none', '-S', '-incoming', 'defer');
  await until(2);
  const [source, destination] = await Promise.all(
    ['src', 'dst'].map((name) => QmpClient.connect(join(directory, `${name}.qmp`))),
  );
  const uri = `unix:${join(directory, 'migration')}`;
  await destination!.execute('migrate-incoming', { uri });
  await source!.execute('migrate', { uri });
  await until(4);
  await destination!.execute('cont');
  await until(5);
  assert.deepEqual(of('src'), ['started', 'stopped']);
  children[0]!.kill('SIGKILL');
  await until(7);
  assert.deepEqual(of('src'), ['started', 'stopped', 'left', 'gone']);
  assert.deepEqual(of('dst'), ['incoming', 'arrived', 'resumed']);
  for (const client of [source!, destination!]) client.close();
});

test('a destination that is given up', async () => {
  qemu('dst', '-machine', 'none', '-S', '-incoming', 'defer');
  await until(1);
  children[0]!.kill('SIGKILL');
  await until(3);
  assert.deepEqual(kinds(), ['dst incoming', 'dst aborted', 'dst gone']);
});

test('a background snapshot of a running VM is no leave, nor is savevm, nor a pause by hand', async () => {
  qemu('m1', '-machine', 'pc');
  await until(1);
  const { qmp, told, can, hears } = await toolstack('m1');
  await can('background-snapshot');
  await qmp.execute('migrate', { uri: 'exec:cat>/dev/null' });
  await hears('completed');
  assert.deepEqual(told, ['setup', 'active', 'STOP', 'RESUME', 'completed']);

  const disk = join(directory, 'disk.qcow2');
  const image = async (job: string, options: object) => {
    await qmp.execute('blockdev-create', { 'job-id': job, options });
    const concluded = (jobs: unknown) =>
      (jobs as { id: string; status: string }[]).some(
        ({ id, status }) => id === job && status === 'concluded',
      );
    while (!concluded(await qmp.execute('query-jobs'))) await sleep(5);
  };
  await image('file', { driver: 'file', filename: disk, size: 0 });
  await qmp.execute('blockdev-add', { driver: 'file', 'node-name': 'file', filename: disk });
  await image('qcow2', { driver: 'qcow2', file: 'file', size: 1 << 26 });
  await qmp.execute('blockdev-add', { driver: 'qcow2', 'node-name': 'disk', file: 'file' });
  await qmp.execute('device_add', { driver: 'virtio-blk-pci', drive: 'disk' });
  await qmp.execute('migrate-set-capabilities', {
    capabilities: [{ capability: 'background-snapshot', state: false }],
  });
  told.length = 0;
  const said = await qmp.execute('human-monitor-command', { 'command-line': 'savevm one' });
  assert.equal(said, '');
  assert.equal(told[0], 'STOP');
  assert.ok(told.includes('completed'), 'for QEMU, savevm is a migration');

  await qmp.execute('stop');
  await qmp.execute('cont');
  await settled();
  assert.deepEqual(kinds(), ['m1 started']);
  qmp.close();
});

test('stop and cont by hand while a migration is under way are none of its', async () => {
  qemu('src', '-machine', 'pc');
  await until(1);
  const { qmp, hears } = await toolstack('src');
  await qmp.execute('migrate-set-parameters', { 'max-bandwidth': 200_000, 'downtime-limit': 1 });
  await qmp.execute('migrate', { uri: 'exec:cat>/dev/null' });
  await hears('active');
  await qmp.execute('stop');
  await settled();
  await qmp.execute('cont');
  await settled();
  assert.deepEqual(kinds(), ['src started']);
  await qmp.execute('migrate-set-parameters', { 'max-bandwidth': 1 << 30, 'downtime-limit': 300 });
  await until(2);
  await hears('completed');
  // the destination cannot let it run: the toolstack takes it back
  await qmp.execute('cont');
  await until(4);
  assert.deepEqual(of('src'), ['started', 'stopped', 'aborted', 'resumed']);
  qmp.close();
});

for (const [how, end] of [
  ['go on', 'migrate-continue'],
  ['give up', 'migrate_cancel'],
] as const)
  test(`the destination is killed at pre-switchover, and the source told to ${how}: it runs on`, async () => {
    qemu('src', '-machine', 'pc');
    await until(1);
    qemu('dst', '-machine', 'pc', '-S', '-incoming', 'defer');
    await until(2);
    const [source, destination] = [await toolstack('src'), await toolstack('dst')];
    const uri = `unix:${join(directory, 'migration')}`;
    await destination.qmp.execute('migrate-incoming', { uri });
    await source.can('pause-before-switchover');
    await source.qmp.execute('migrate', { uri });
    await source.hears('pre-switchover');
    await settled();
    assert.deepEqual(of('src'), ['started', 'stopped']);
    children[1]!.kill('SIGKILL');
    await until(5);
    await source.qmp.execute(end, end === 'migrate-continue' ? { state: 'pre-switchover' } : undefined);
    await source.hears('RESUME');
    await until(7);
    assert.deepEqual(of('dst'), ['incoming', 'aborted', 'gone']);
    assert.deepEqual(of('src').slice(0, 2), ['started', 'stopped']);
    assert.deepEqual(of('src').slice(2).sort(), ['aborted', 'resumed']);
    source.qmp.close();
  });

test('a QEMU that stands still when it starts is waited for, with one line', async () => {
  expected = [/m1\.ev: no QMP greeting yet; it is waited for/];
  // it is stopped before its monitor is seen: it may greet at once
  mkdirSync(join(directory, 'unseen'));
  const unseen = join(directory, 'unseen', 'm1.ev');
  const child = named('unseen/m1', 'm1', '-machine', 'none');
  while (!listens(unseen)) await sleep(1);
  child.kill('SIGSTOP');
  while (!standsStill(child)) await sleep(1);
  renameSync(unseen, join(directory, 'm1.ev'));
  while (problems.length < 1) await sleep(5);
  child.kill('SIGCONT');
  await until(1);
  assert.deepEqual(kinds(), ['m1 started']);
});

test('two processes of one name: each begins and ends by itself', async () => {
  named('first', 'm1', '-machine', 'none');
  await until(1);
  named('second', 'm1', '-machine', 'none', '-S', '-incoming', 'defer');
  await until(2);
  children[1]!.kill('SIGKILL');
  await until(4);
  assert.deepEqual(
    events.map(({ vm, kind, process }) => [vm, kind, process?.slice(directory.length + 1)]),
    [
      ['m1', 'started', 'first.ev'],
      ['m1', 'incoming', 'second.ev'],
      ['m1', 'aborted', 'second.ev'],
      ['m1', 'gone', 'second.ev'],
    ],
  );
});

test('a directory that is removed under a running VM and made anew', async () => {
  expected = [/is gone; it is watched again/, /was made anew; it is watched again/];
  qemu('m1', '-machine', 'none');
  await until(1);
  rmSync(directory, { recursive: true });
  while (problems.length < 1) await sleep(5);
  mkdirSync(directory);
  qemu('m2', '-machine', 'none');
  await until(2);
  children[0]!.kill('SIGKILL');
  await until(3);
  assert.deepEqual(kinds(), ['m1 started', 'm2 started', 'm1 gone']);
});

test('a NIC that is plugged into a running machine', async () => {
  qemu('m1', '-machine', 'pc', '-netdev', 'hubport,id=n0,hubid=0', '-netdev', 'hubport,id=n1,hubid=0');
  await until(1);
  const { qmp } = await toolstack('m1');
  const nic = { id: 'nic1', netdev: 'n1', romfile: '', mac: '52:54:00:aa:00:03' };
  await qmp.execute('device_add', { driver: 'e1000', ...nic });
  await until(2);
  assert.deepEqual(
    events.map(({ kind, macs }) => [kind, ...macs]),
    [['started'], ['nics', '52:54:00:aa:00:03']],
  );
  qmp.close();
});
