import assert from 'node:assert/strict';
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseMac } from '../../src/domain/mac-address.ts';
import type { HypervisorEvent, HypervisorWatcher } from '../../src/hypervisors/event.ts';
import { watchDirectory } from '../../src/hypervisors/qemu/directory-watcher.ts';
import { guestImages, type GuestImages } from '../../src/lab/guest/images.ts';
import { moveGuest } from '../../src/lab/guest/move.ts';
import { QemuGuest } from '../../src/lab/guest/qemu-guest.ts';
import { openStreams } from '../../src/lab/stream/peer.ts';
import type { MigrationHooks } from '../../src/lab/vm.ts';
import { now } from '../../src/linux/clock.ts';
import { createNamespace, deleteNamespace } from '../../src/linux/net/namespace.ts';
import { ip, run } from '../../src/linux/run.ts';

const prefix = `hp-qm${process.pid}`;
const directory = `/run/${prefix}`;
const [h1, h2, peer] = [`${prefix}-h1`, `${prefix}-h2`, `${prefix}-peer`];
const mac = parseMac('52:54:00:00:0a:01');
const address = '10.77.8.11';

let images: GuestImages;
let guest: QemuGuest | undefined;
const watchers: HypervisorWatcher[] = [];
const told: { host: string; event: HypervisorEvent }[] = [];

/** Two hosts and a peer at a bridge that learns, as any switch does. */
before(async () => {
  for (const namespace of [h1, h2, peer]) await createNamespace(namespace);
  await ip(peer, [
    'link add br0 type bridge stp_state 0 forward_delay 0 mcast_snooping 0',
    'link set br0 up',
    'addr add 10.77.8.1/24 dev br0',
    ...[h1, h2].flatMap((host, i) => [
      `link add p${i} type veth peer name up0 netns ${host}`,
      `link set p${i} master br0 up`,
    ]),
  ]);
  for (const host of [h1, h2]) {
    await ip(host, ['link set up0 up']);
    mkdirSync(join(directory, host), { recursive: true });
    watchers.push(
      watchDirectory(join(directory, host), {
        suffix: '.ev',
        emit: (event) => told.push({ host, event }),
        problem: (message) => assert.fail(message),
        now,
      }),
    );
  }
  images = await guestImages(directory, (line) => console.log(line));
  guest = await place(h1, false);
  await guest.booted();
});

after(async () => {
  for (const watcher of watchers) watcher.close();
  await guest?.stop();
  for (const namespace of [h1, h2, peer]) await deleteNamespace(namespace);
  rmSync(directory, { recursive: true, force: true });
});

function place(host: string, incoming: boolean, name = 'a', from = images): Promise<QemuGuest> {
  return QemuGuest.start({
    name,
    mac,
    address: `${address}/24`,
    namespace: host,
    uplink: 'up0',
    directory: join(directory, host),
    monitor: join(directory, host, `${name}.ev`),
    images: from,
    incoming,
  });
}

/** Hooks that write down the order of things. */
function recording(steps: string[], overrides: Partial<MigrationHooks> = {}): MigrationHooks {
  const note = (step: string) => () => void steps.push(step);
  return {
    begins: async () => note('begins')(),
    stopped: note('stopped'),
    beforeResume: async () => note('beforeResume')(),
    resumed: note('resumed'),
    aborted: async () => note('aborted')(),
    ...overrides,
  };
}

function kinds(host: string): string[] {
  return told.filter(({ host: at, event }) => at === host && event.vm === 'a').map(({ event }) => event.kind);
}

async function until(host: string, kind: HypervisorEvent['kind']): Promise<void> {
  while (!kinds(host).includes(kind)) await sleep(1);
}

describe('a QEMU guest', () => {
  it('is seen by its host, with its address', () => {
    assert.deepEqual(kinds(h1), ['started']);
    assert.deepEqual(told[0]!.event.macs, [mac]);
    assert.equal(told[0]!.event.vm, 'a');
  });

  const manner = { unannounced: false, silent: false };

  it('that cannot start says why, and leaves nothing', async () => {
    const broken = place(h2, false, 'b', { ...images, kernel: '/none/vmlinux' });
    await assert.rejects(broken, /guest b on \S+-h2: did not start: .*\/none\/vmlinux/);
    assert.doesNotMatch(await run('ip', ['-n', h2, 'link']), /mv-b/);
  });

  it('stays at the source, running, when the network refuses it at the last moment', async () => {
    const streams = await openStreams({ namespace: peer, link: 'br0', address });
    const steps: string[] = [];
    const destination = await place(h2, true);
    const hooks = recording(steps, {
      beforeResume: async () => {
        await until(h2, 'arrived');
        throw new Error('refused');
      },
    });
    await assert.rejects(moveGuest(guest!, destination, `unix:${directory}/m`, hooks, manner), /refused/);
    assert.deepEqual(steps, ['begins', 'stopped', 'aborted']);
    const back = now();
    await sleep(300);
    const { fromVm } = await streams.stop();
    assert.equal(fromVm.lost, 0);
    assert.ok(fromVm.gapEnd < back + 250_000, 'it speaks again');
    assert.deepEqual(kinds(h2), ['incoming', 'arrived', 'aborted', 'gone']);
    assert.deepEqual(kinds(h1), ['started', 'stopped', 'aborted', 'resumed']);
  });

  it('moves with its memory, and both hosts are told in time', async () => {
    told.length = 0;
    const entries = ['p0', 'p1'].map((link) => ({ namespace: peer, link }));
    const streams = await openStreams({ namespace: peer, link: 'br0', address, entries });
    const steps: string[] = [];
    const destination = await place(h2, true);
    let arrivedBefore = false;
    const stop = await moveGuest(
      guest!,
      destination,
      `unix:${directory}/m`,
      recording(steps, {
        beforeResume: async () => {
          await until(h2, 'arrived');
          arrivedBefore = !kinds(h2).includes('resumed');
          steps.push('beforeResume');
        },
      }),
      manner,
    );
    const source = guest!;
    guest = destination;
    await source.stop();
    await sleep(700);
    const { toVm, fromVm, own } = await streams.stop();
    assert.deepEqual(steps, ['begins', 'stopped', 'beforeResume', 'resumed']);
    assert.equal(arrivedBefore, true);
    assert.deepEqual(kinds(h2), ['incoming', 'arrived', 'resumed']);
    assert.deepEqual(kinds(h1), ['stopped', 'left', 'gone']);
    // the streams go on where they were: the guest's counters are memory, too
    assert.ok(fromVm.received > 200 && toVm.received > 200);
    const stopMs = (stop.resumedAt - stop.stoppedAt) / 1000;
    assert.ok(stopMs > 0 && toVm.gapMs >= stopMs && fromVm.gapMs >= stopMs && own!.gapMs >= stopMs);
    assert.deepEqual([toVm.duplicated, fromVm.duplicated], [0, 0]);
    assert.equal(own!.entered, fromVm.received + fromVm.lost);
  });
});
