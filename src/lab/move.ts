import { setTimeout as sleep } from 'node:timers/promises';
import type { Timestamp } from '../domain/migration.ts';
import type { HostName } from './scenario.ts';
import type { Manner, MigrationHooks, Stop } from './vm.ts';

/** How long a VM without memory to copy stands still while it moves: about what a QEMU guest needs for its last pages. */
const standstillMs = 20;

/** A VM's NICs and its only virtual CPU. */
export interface Movable {
  /** A second NIC, at the destination, which does nothing yet. */
  plug(to: HostName): Promise<void>;
  unplug(from: HostName): Promise<void>;
  /** From now on the NIC keeps what comes for the VM, and says nothing of its own accord. */
  open(to: HostName): void;
  /** From now on the VM does nothing. */
  halt(): void;
  /** The NIC takes nothing any more. */
  disconnect(from: HostName): void;
  /** The VM's frames leave by the NIC. */
  connect(to: HostName): void;
  /** The VM goes on where it was halted. */
  proceed(): void;
  announceItself(at: HostName): void;
}

/** The choreography of a live migration without memory, as a toolstack performs it. */
export async function move(
  vm: Movable,
  [from, to]: readonly [HostName, HostName],
  hooks: MigrationHooks,
  { silent }: Manner,
  now: () => Timestamp,
): Promise<Stop> {
  await vm.plug(to);
  let stoppedAt: Timestamp;
  let resumedAt: Timestamp;
  try {
    await hooks.begins();
    vm.open(to);
    vm.halt();
    stoppedAt = now();
    hooks.stopped(stoppedAt);
    // the kernel takes its time to take a link down: not before the word is out
    await sleep(standstillMs / 2);
    vm.disconnect(from);
    await sleep(standstillMs / 2);
    await hooks.beforeResume();
    vm.connect(to);
    resumedAt = now();
    vm.proceed();
  } catch (error) {
    try {
      await hooks.aborted();
    } finally {
      vm.connect(from);
      vm.proceed();
      await vm.unplug(to);
    }
    throw error;
  }
  hooks.resumed(resumedAt);
  if (!silent) vm.announceItself(to);
  await vm.unplug(from);
  return { stoppedAt, resumedAt };
}
