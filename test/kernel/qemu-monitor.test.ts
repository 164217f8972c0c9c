import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import type { HypervisorEvent, HypervisorWatcher } from '../../src/hypervisors/event.ts';
import { watchDirectory } from '../../src/hypervisors/qemu/directory-watcher.ts';
import { QmpClient } from '../../src/hypervisors/qemu/qmp-client.ts';

// QEMU without a guest: it says what it says of any.

let directory: string;
let watcher: HypervisorWatcher;
let told: EventEmitter<{ told: [] }>;
let events: HypervisorEvent[];
const children: ChildProcess[] = [];

beforeEach(() => {
  directory = mkdtempSync('/run/hp-qemu-');
  told = new EventEmitter();
  events = [];
  watcher = watchDirectory(directory, {
    suffix: '.ev',
    emit: (event) => {
      events.push(event);
      told.emit('told');
    },
    problem: (message) => assert.fail(message),
    now: () => Date.now() * 1000,
  });
});

afterEach(async () => {
  watcher.close();
  for (const child of children.splice(0)) if (child.kill('SIGKILL')) await once(child, 'exit');
  rmSync(directory, { recursive: true, force: true });
});

function qemu(name: string, ...args: string[]): ChildProcess {
  const monitors = ['qmp', 'ev'].flatMap((suffix) => [
    '-qmp',
    `unix:${join(directory, `${name}.${suffix}`)},server=on,wait=off`,
  ]);
  const child = spawn(
    'qemu-system-x86_64',
    ['-name', name, '-nodefaults', '-display', 'none', '-accel', 'tcg', '-m', '16', ...monitors, ...args],
    { stdio: 'ignore' },
  );
  children.push(child);
  return child;
}

async function until(count: number): Promise<void> {
  while (events.length < count) await once(told, 'told');
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
  await until(5);
  await destination!.execute('cont');
  await until(6);
  const of = (vm: string) => events.filter((event) => event.vm === vm).map(({ kind }) => kind);
  assert.deepEqual(of('src'), ['started', 'stopped', 'left']);
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
