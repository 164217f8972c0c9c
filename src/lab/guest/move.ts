import type { Timestamp } from '../../domain/migration.ts';
import type { QmpEvent } from '../../hypervisors/qemu/qmp-message.ts';
import { now } from '../../linux/clock.ts';
import type { Manner, MigrationHooks, Stop } from '../vm.ts';
import type { QemuGuest } from './qemu-guest.ts';

const completionMs = 60_000;
const resumeMs = 5000;
const cancelMs = 5000;

/** Copies until the rest takes 5 ms (QEMU's own limit is 300), at the speed of one machine's memory (octets/s). */
const limits = { 'downtime-limit': 5, 'max-bandwidth': 1 << 30 };

/**
 * Live-migrates a guest as libvirt does: the destination was started to wait (-S) with its NIC down, and when all
 * memory is there, the network gets its say before the guest goes on.
 * @param uri "unix:PATH" or "tcp:HOST:PORT", where the destination is to listen
 * @throws an Error when it fails; the destination is stopped then, and the guest runs on at the source
 */
export async function moveGuest(
  source: QemuGuest,
  destination: QemuGuest,
  uri: string,
  hooks: MigrationHooks,
  { unannounced, silent }: Manner,
): Promise<Stop> {
  for (const guest of [source, destination])
    await guest.execute('migrate-set-capabilities', {
      capabilities: [{ capability: 'events', state: true }],
    });
  await source.execute('migrate-set-parameters', limits);
  // QEMU announces a guest when its memory is complete
  if (silent) await destination.execute('migrate-set-parameters', { 'announce-rounds': 0 });
  const stop = source.event(is('STOP'), completionMs).then((event) => {
    const at = timeOf(event);
    hooks.stopped(at);
    return at;
  });
  stop.catch(() => {}); // without a stop there is no completion either, and that is waited for
  try {
    await destination.execute('migrate-incoming', { uri });
    await hooks.begins();
    // a station that is told sets the tap up when it is armed; without one it is up, as a tap in a host's bridge is
    if (unannounced) destination.setLink(true);
    await all([outcome(source), outcome(destination), source.execute('migrate', { uri })]);
    await hooks.beforeResume();
    destination.setLink(true);
    const [resume] = await all([destination.event(is('RESUME'), resumeMs), destination.execute('cont')]);
    const resumedAt = timeOf(resume);
    hooks.resumed(resumedAt);
    if (!silent) await destination.announceItself();
    return { stoppedAt: await stop, resumedAt };
  } catch (error) {
    await destination.stop(); // first, so that it cannot run at both
    try {
      await hooks.aborted();
    } finally {
      await takeBack(source);
    }
    throw error;
  }
}

/** Lets the guest go on at the source, whether the migration is under way, has failed or is complete. */
async function takeBack(source: QemuGuest): Promise<void> {
  const { status: migration } = (await source.execute('query-migrate')) as { status?: string };
  if (migration === 'active' || migration === 'setup' || migration === 'device') {
    const ended = source.event(isEnd, cancelMs);
    await source.execute('migrate_cancel');
    await ended;
  }
  const { running } = (await source.execute('query-status')) as { running: boolean };
  if (!running) await source.execute('cont');
}

function is(name: string): (event: QmpEvent) => boolean {
  return (event) => event.name === name;
}

function isEnd({ name, data }: QmpEvent): boolean {
  return name === 'MIGRATION' && ['completed', 'failed', 'cancelled'].includes(data['status'] as string);
}

/** Resolves when the migration is complete at `guest`. */
async function outcome(guest: QemuGuest): Promise<void> {
  const { data } = await guest.event(isEnd, completionMs);
  if (data['status'] !== 'completed')
    throw new Error(
      `the migration of ${guest.name} ${data['status'] === 'failed' ? 'failed' : 'was cancelled'}`,
    );
}

/** Promise.all that settles only when all have: none goes on behind the caller's back. */
async function all<const T extends readonly unknown[]>(
  promises: T,
): Promise<{ -readonly [K in keyof T]: Awaited<T[K]> }> {
  await Promise.allSettled(promises);
  return Promise.all(promises);
}

function timeOf(event: QmpEvent): Timestamp {
  return event.at ?? now();
}
