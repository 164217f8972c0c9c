import assert from 'node:assert/strict';
import { once, EventEmitter } from 'node:events';
import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, test } from 'node:test';
import type { HypervisorEvent, HypervisorWatcher } from '../../../src/hypervisors/event.ts';
import {
  watchDirectory,
  type DirectoryOptions,
  type DirectoryWatcher,
} from '../../../src/hypervisors/qemu/directory-watcher.ts';
import { FakeMonitor, Refusal, scratch, type Answer } from '../../kit/hypervisors/fake-monitor.ts';

let place: ReturnType<typeof scratch>;
let watcher: HypervisorWatcher | undefined;
const monitors: FakeMonitor[] = [];

beforeEach(() => (place = scratch()));
afterEach(async () => {
  watcher?.close();
  watcher = undefined;
  for (const monitor of monitors.splice(0)) await monitor.close();
  place.remove();
});

/** Answers like a VM with one NIC at /machine/peripheral/nic0. */
function vm(status: string, mac = '52:54:00:00:00:0A', migration?: string): Answer {
  return (command, args) => {
    const { path } = (args ?? {}) as { path?: string };
    switch (command) {
      case 'query-status':
        return { status, running: status === 'running' };
      case 'query-migrate':
        return migration ? { status: migration } : {};
      case 'query-name':
        return { name: 'web1' };
      case 'qom-list':
        return path === '/machine/peripheral'
          ? [
              { name: 'type', type: 'string' },
              { name: 'nic0', type: 'child<virtio-net-pci>' },
              { name: 'disk0', type: 'child<virtio-blk-pci>' },
            ]
          : new Refusal('Device not found');
      case 'qom-get':
        return path?.endsWith('nic0') ? mac : new Refusal("Property 'mac' not found");
      default:
        return {};
    }
  };
}

async function serve(file: string, answer: Answer): Promise<FakeMonitor> {
  const monitor = await FakeMonitor.listen(place.file(file), answer);
  monitors.push(monitor);
  return monitor;
}

class Events extends EventEmitter<{ told: [] }> {
  readonly events: HypervisorEvent[] = [];
  readonly problems: string[] = [];

  constructor(options: Partial<DirectoryOptions> = {}, directory = place.directory) {
    super();
    watcher = watchDirectory(directory, {
      suffix: '.ev',
      lookEveryMs: 10,
      ...options,
      emit: (event) => {
        this.events.push(event);
        this.emit('told');
      },
      problem: (message) => {
        this.problems.push(message);
        this.emit('told');
      },
      now: () => 42,
    });
  }

  get kinds(): string[] {
    return this.events.map(({ vm, kind }) => `${vm} ${kind}`);
  }

  async until(count: number): Promise<void> {
    while (this.events.length + this.problems.length < count) await once(this, 'told');
  }
}

test('a VM that is there already and one that appears', async () => {
  await serve('one.ev', vm('running'));
  await serve('other.qmp', vm('running')); // the toolstack's own monitor is left alone
  const seen = new Events();
  await seen.until(1);
  const incoming = await serve('two.ev', vm('inmigrate', '52:54:00:00:00:0b'));
  await seen.until(2);
  incoming.event('MIGRATION', { status: 'setup' });
  incoming.event('MIGRATION', { status: 'completed' });
  incoming.event('RESUME');
  await seen.until(4);
  assert.deepEqual(seen.kinds, ['web1 started', 'web1 incoming', 'web1 arrived', 'web1 resumed']);
  assert.deepEqual(
    seen.events.map(({ macs, at }) => [...macs, at]),
    [
      ['52:54:00:00:00:0a', 42],
      ['52:54:00:00:00:0b', 42],
      ['52:54:00:00:00:0b', 1_700_000_000_000_005],
      ['52:54:00:00:00:0b', 1_700_000_000_000_005],
    ],
  );
  assert.equal(monitors[1]!.commands.length, 0);
});

test('a VM ends, and the next one of its name is noticed', async () => {
  const first = await serve('one.ev', vm('running'));
  const seen = new Events();
  await seen.until(1);
  monitors.length = 0;
  await first.close(); // removes the socket, too
  await seen.until(2);
  await serve('one.ev', vm('prelaunch'));
  monitors[0]!.event('ignored');
  while (!monitors[0]!.commands.includes('query-migrate'))
    await new Promise((resolve) => setImmediate(resolve));
  monitors[0]!.event('RESUME');
  await seen.until(3);
  assert.deepEqual(seen.kinds, ['web1 started', 'web1 gone', 'web1 started']);
});

test('a VM takes the place of one that was killed, while its left-over socket is still being tried', async () => {
  writeFileSync(place.file('one.ev'), '');
  const seen = new Events();
  await new Promise((resolve) => setImmediate(resolve));
  rmSync(place.file('one.ev'));
  await new Promise((resolve) => setTimeout(resolve, 20)); // long enough for a try to find nothing
  await serve('one.ev', vm('running'));
  await seen.until(1);
  assert.deepEqual(seen.kinds, ['web1 started']);
  assert.deepEqual(seen.problems, []);
});

test('a STOP that nobody announced is looked into', async () => {
  let status = 'running';
  const monitor = await serve('one.ev', (command, args) =>
    command === 'migrate-set-capabilities'
      ? new Refusal("There's a migration process in progress")
      : vm(status)(command, args),
  );
  const seen = new Events();
  await seen.until(1);
  status = 'postmigrate';
  monitor.event('STOP');
  await seen.until(2);
  monitor.hangUp();
  await seen.until(4);
  assert.deepEqual(seen.kinds, ['web1 started', 'web1 stopped', 'web1 left', 'web1 gone']);
});

test('what is no monitor is named; what nobody serves any more is not worth a word', async () => {
  writeFileSync(place.file('dead.ev'), ''); // connect(2) says ECONNREFUSED, as for a killed QEMU's socket
  const monitor = await serve('odd.ev', () => undefined);
  const seen = new Events();
  while (monitor.commands.length === 0) await new Promise((resolve) => setImmediate(resolve));
  monitor.say('hello\n');
  await seen.until(1);
  assert.deepEqual(seen.problems, [`${monitor.path}: not QMP: "hello"`]);
});

test('a directory that is not there is refused', () => {
  assert.throws(
    () => watchDirectory(place.file('none'), { suffix: '.ev', emit() {}, problem() {}, now: () => 0 }),
    { name: 'Invalid', message: /none: it does not exist; create it/ },
  );
});

test('a QEMU that is slow to greet is waited for, with one line', async () => {
  const monitor = await FakeMonitor.listen(place.file('one.ev'), vm('running'), false);
  monitors.push(monitor);
  const seen = new Events({ slowMs: 20 });
  await seen.until(1);
  await new Promise((resolve) => setTimeout(resolve, 60));
  monitor.greet();
  await seen.until(2);
  assert.deepEqual(seen.kinds, ['web1 started']);
  assert.equal(seen.problems.length, 1);
  assert.match(seen.problems[0]!, /one\.ev: no QMP greeting yet; it is waited for/);
});

test('a QEMU that listens long after it has made its socket is found', async () => {
  writeFileSync(place.file('one.ev'), '');
  const seen = new Events();
  await new Promise((resolve) => setTimeout(resolve, 150));
  rmSync(place.file('one.ev'));
  await serve('other', vm('running'));
  renameSync(place.file('other'), place.file('one.ev'));
  await seen.until(1);
  assert.deepEqual(seen.kinds, ['web1 started']);
  assert.deepEqual(seen.problems, []);
});

test('a directory that is removed and made anew is watched again; who ran there still does', async () => {
  const directory = place.file('monitors');
  mkdirSync(directory);
  const first = await serve('monitors/one.ev', vm('running'));
  const seen = new Events({}, directory);
  await seen.until(1);
  rmSync(directory, { recursive: true });
  await seen.until(2);
  mkdirSync(directory);
  await seen.until(3);
  await serve('monitors/two.ev', vm('running', '52:54:00:00:00:0b'));
  await seen.until(4);
  first.event('STOP');
  first.hangUp();
  await seen.until(5);
  assert.deepEqual(seen.kinds, ['web1 started', 'web1 started', 'web1 gone']);
  assert.deepEqual(
    seen.problems.map((line) => line.replace(directory, 'D')),
    [
      'D: the monitor directory is gone; it is watched again when it is back',
      'D: the monitor directory was made anew; it is watched again',
    ],
  );
});

test('a directory that another takes the place of is noticed, though no event tells', async () => {
  const directory = place.file('monitors');
  mkdirSync(directory);
  mkdirSync(place.file('next'));
  await serve('next/one.ev', vm('running'));
  const seen = new Events({}, directory);
  renameSync(directory, place.file('last'));
  renameSync(place.file('next'), directory);
  while (seen.events.length === 0) await once(seen, 'told');
  assert.deepEqual(seen.kinds, ['web1 started']);
});

test('two processes of one name are told apart', async () => {
  const first = await serve('one.ev', vm('running'));
  const seen = new Events();
  await seen.until(1);
  await serve('again.ev', vm('inmigrate'));
  await seen.until(2);
  first.hangUp();
  await seen.until(3);
  const [a, b] = [place.file('one.ev'), place.file('again.ev')];
  assert.deepEqual(
    seen.events.map(({ vm, kind, process }) => [vm, kind, process]),
    [
      ['web1', 'started', a],
      ['web1', 'incoming', b],
      ['web1', 'gone', a],
    ],
  );
});

test('NICs that are plugged in and out are told, by events and without', async () => {
  const macs = new Map([['nic0', '52:54:00:00:00:0a']]);
  const monitor = await serve('one.ev', (command, args) => {
    const { path } = (args ?? {}) as { path?: string };
    if (command === 'qom-list')
      return path === '/machine/peripheral'
        ? [...macs.keys()].map((name) => ({ name, type: 'child<e1000>' }))
        : [];
    if (command === 'qom-get') return macs.get(path!.split('/').at(-1)!) ?? new Refusal('gone');
    return vm('running')(command, args);
  });
  const seen = new Events({ nicsEveryMs: 20 });
  await seen.until(1);
  macs.set('nic1', '52:54:00:00:00:0b');
  monitor.event('NIC_RX_FILTER_CHANGED', { name: 'nic1', path: '/machine/peripheral/nic1' });
  await seen.until(2);
  macs.delete('nic0');
  monitor.event('DEVICE_DELETED', { device: 'nic0', path: '/machine/peripheral/nic0' });
  await seen.until(3);
  macs.set('nic2', '52:54:00:00:00:0c'); // an e1000: QEMU says nothing
  await seen.until(4);
  assert.deepEqual(
    seen.events.map(({ kind, macs }) => [kind, ...macs]),
    [
      ['started', '52:54:00:00:00:0a'],
      ['nics', '52:54:00:00:00:0a', '52:54:00:00:00:0b'],
      ['nics', '52:54:00:00:00:0b'],
      ['nics', '52:54:00:00:00:0b', '52:54:00:00:00:0c'],
    ],
  );
  assert.ok(monitor.commands.includes('query-rx-filter'), 'or QEMU tells of no change any more');
});

test('a monitor that says what is no QMP is attached to again, and its VM is not gone', async () => {
  const monitor = await serve('one.ev', vm('running'));
  const seen = new Events();
  await seen.until(1);
  monitor.say('hello\n');
  await seen.until(3);
  assert.deepEqual(seen.kinds, ['web1 started', 'web1 started']);
  monitors.length = 0;
  await monitor.close();
  await seen.until(4);
  assert.equal(seen.kinds.at(-1), 'web1 gone');
});

test('a watcher that is retired goes on with its VMs and takes up no others', async () => {
  const first = await serve('one.ev', vm('running'));
  const seen = new Events();
  await seen.until(1);
  (watcher as DirectoryWatcher).retire();
  const second = await serve('two.ev', vm('running'));
  first.hangUp();
  await seen.until(2);
  assert.deepEqual(seen.kinds.slice(0, 2), ['web1 started', 'web1 gone']);
  assert.deepEqual(second.commands, []);
});
