import { setTimeout as sleep } from 'node:timers/promises';
import type { Migration, Timestamp } from '../domain/migration.ts';
import { Invalid } from '../base/invalid.ts';
import type { Choreography } from './choreography.ts';
import { lossToVm, type LossToVm } from './loss.ts';
import { hosts, type HostName, type LabVmPlan } from './scenario.ts';
import type { Contender } from './contender.ts';
import type { StreamResult } from './stream/accounting.ts';
import type { Streams } from './stream/peer.ts';
import type { LabVm } from './vm.ts';

/** What a migration needs of a lab, real or simulated. */
export interface MigrationGround {
  /**
   * Starts the 1 ms streams between the peer and the VM, with the hosts' uplinks in the order of `hosts` as exits;
   * resolves when both flow.
   */
  openStreams(vm: LabVmPlan): Promise<Streams>;
  choreograph(vm: LabVm, hosts: readonly [from: HostName, to: HostName]): Choreography;
}

/** One migration, measured. All times in ms. */
export interface MigrationRun {
  readonly vm: string;
  readonly from: HostName;
  readonly to: HostName;
  readonly strategy: Contender;
  /** the VM only received, from before its stop until it was measured */
  readonly silent: boolean;
  /** the VM's own stop, as its link saw it: from its last frame into the switch to the first one elsewhere */
  readonly stopMs: number;
  /** what the hypervisor says of it: from its last instruction at the source to its first at the destination */
  readonly haltedMs: number;
  /** the longest silence that the streams saw, in either direction; null: the VM was not reached again */
  readonly gapMs: number | null;
  /** what of it is not the VM's own stop; null: the VM was not reached again while it was watched */
  readonly networkAddedMs: number | null;
  /** frames of the streams that never arrived: to the VM, and what of them was lost where; from it */
  readonly lost: { readonly toVm: number; readonly fromVm: number } & LossToVm;
  /** frames of the VM that the switch dropped; the VM sends none during its stop */
  readonly droppedAtSwitch: number;
  /** frames of the streams that arrived twice */
  readonly duplicated: number;
  /** null where there is no manager */
  readonly report: Migration | null;
}

const settleMs = 300;
const releaseTimeoutMs = 6000;
/** how long one waits for a silent VM to be reached again: longer than people wait for a page */
const silentWatchMs = 1300;

/** Moves a running VM and measures what that does to its streams. @throws an Error when the migration fails */
export async function migrate(
  ground: MigrationGround,
  vm: LabVm,
  to: HostName,
  { strategy, silent }: { strategy: Contender; silent: boolean },
): Promise<MigrationRun> {
  const from = source(vm, to);
  const choreography = ground.choreograph(vm, [from, to]);
  const streams = await ground.openStreams(vm.plan);
  let counted: StreamResult;
  let stop: Awaited<ReturnType<LabVm['migrate']>>;
  try {
    if (silent) streams.hush();
    await sleep(settleMs);
    stop = await vm.migrate(to, choreography.hooks, { unannounced: choreography.unannounced, silent });
    const over = Promise.race([choreography.over, sleep(silent ? silentWatchMs : releaseTimeoutMs)]);
    await Promise.all([over, silent && sleep(silentWatchMs)]);
    await sleep(settleMs); // late stop and resume reports, and the streams back in their stride
    await streams.end();
    await choreography.reveal();
    if (silent) vm.announceItself();
    await Promise.race([choreography.over, sleep(releaseTimeoutMs)]);
    counted = await streams.count();
  } catch (error) {
    streams.abandon();
    throw error;
  } finally {
    choreography.close();
  }
  const report = await choreography.report();
  const exitOf = (host: HostName) => hosts.findIndex(({ name }) => name === host);
  const move = { source: exitOf(from), destination: exitOf(to), ...stop };
  const loss = lossToVm(counted.probes, move);
  return {
    vm: vm.plan.name,
    from,
    to,
    strategy,
    silent,
    ...(silent ? silentTimes(counted, move) : spokenTimes(counted, move)),
    lost: {
      toVm: loss.sourceTap + loss.beforeFlip + loss.queueFull + loss.afterFlip,
      fromVm: counted.fromVm.lost,
      ...loss,
    },
    droppedAtSwitch: report ? dropped(report) : 0,
    duplicated: counted.toVm.duplicated + counted.fromVm.duplicated,
    report,
  };
}

type Times = Pick<MigrationRun, 'stopMs' | 'haltedMs' | 'gapMs' | 'networkAddedMs'>;
interface Halt {
  readonly stoppedAt: Timestamp;
  readonly resumedAt: Timestamp;
}

function spokenTimes({ toVm, fromVm, own }: StreamResult, { stoppedAt, resumedAt }: Halt): Times {
  const haltedMs = (resumedAt - stoppedAt) / 1000;
  // a guest is silent for longer than it is halted (its emulated CPU starts cold), which is no doing of the network
  const stopMs = own?.gapMs ?? haltedMs;
  const gapMs = Math.max(toVm.gapMs, fromVm.gapMs);
  return {
    stopMs: round(stopMs),
    haltedMs: round(haltedMs),
    gapMs: round(gapMs),
    networkAddedMs: round(gapMs - stopMs),
  };
}

/** Of a VM that says nothing one knows what the hypervisor says, and when its frames began to leave at the destination. */
function silentTimes(
  { firstQuietExits }: StreamResult,
  { stoppedAt, resumedAt, destination }: Halt & { destination: number },
): Times {
  const haltedMs = (resumedAt - stoppedAt) / 1000;
  const reached = firstQuietExits[destination] ?? null;
  const networkAddedMs = reached === null ? null : Math.max(0, reached - resumedAt) / 1000;
  return {
    stopMs: round(haltedMs),
    haltedMs: round(haltedMs),
    gapMs: networkAddedMs === null ? null : round(haltedMs + networkAddedMs),
    networkAddedMs: networkAddedMs === null ? null : round(networkAddedMs),
  };
}

function source(vm: LabVm, to: HostName): HostName {
  if (vm.host === null) throw new Invalid(`VM ${vm.plan.name} does not run`);
  if (vm.host === to) throw new Invalid(`VM ${vm.plan.name} is on ${to} already`);
  return vm.host;
}

function dropped({ counts: { source, destination } }: Migration): number {
  return [source, destination]
    .flatMap((count) => Object.values(count?.dropped ?? {}))
    .reduce((sum, frames) => sum + frames, 0);
}

function round(ms: number): number {
  return Math.round(ms * 1000) / 1000;
}
