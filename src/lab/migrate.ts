import { setTimeout as sleep } from 'node:timers/promises';
import type { ApiClient } from '../api/client.ts';
import type { Migration, Strategy, Timestamp } from '../domain/migration.ts';
import { Invalid } from '../domain/invalid.ts';
import type { HypervisorEvent } from '../hypervisors/event.ts';
import type { Outcome } from '../station/agent.ts';
import type { HostName, LabVmPlan } from './scenario.ts';
import type { StreamResult } from './stream/accounting.ts';
import type { Streams } from './stream/peer.ts';
import { LabError } from './lab.ts';
import type { LabVm, MigrationHooks } from './vm.ts';

/** What a migration needs of a lab, real or simulated. */
export interface MigrationGround {
  readonly api: ApiClient;
  /** Starts the 1 ms streams between the peer and the VM; resolves when both flow. */
  openStreams(vm: LabVmPlan): Promise<Streams>;
  /** Tells a host's station of an event, as a toolstack does; resolves with the bridge's answer. */
  announce(host: HostName, event: HypervisorEvent): Promise<Outcome>;
  timestamp(): Timestamp;
}

/** One migration, measured. All times in ms. */
export interface MigrationRun {
  readonly vm: string;
  readonly from: HostName;
  readonly to: HostName;
  readonly strategy: Strategy;
  /** the VM's own stop, as its link saw it: from its last frame into the switch to the first one elsewhere */
  readonly stopMs: number;
  /** what the hypervisor says of it: from its last instruction at the source to its first at the destination */
  readonly haltedMs: number;
  /** the longest silence that the streams saw, in either direction */
  readonly gapMs: number;
  readonly networkAddedMs: number;
  /** how long, inside of its stop, the VM was held back until the bridge had answered */
  readonly heldMs: number;
  /** frames of the streams that never arrived */
  readonly lost: { readonly toVm: number; readonly fromVm: number };
  /** frames of the VM that the switch dropped; the VM sends none during its stop */
  readonly droppedAtSwitch: number;
  /** frames of the streams that arrived twice */
  readonly duplicated: number;
  readonly report: Migration;
}

const settleMs = 300;
const releaseTimeoutMs = 6000;

/** Moves a running VM and measures what that does to its streams. @throws an Error when the migration fails */
export async function migrate(
  ground: MigrationGround,
  vm: LabVm,
  to: HostName,
  strategy: Strategy,
): Promise<MigrationRun> {
  const from = source(vm, to);
  const stream = await ground.openStreams(vm.plan);
  let counted: StreamResult;
  let heldMs = 0;
  let stop: Awaited<ReturnType<LabVm['migrate']>>;
  const asides: Promise<unknown>[] = [];
  const watching = new AbortController();
  const report = ending(ground.api, vm.plan, ground.timestamp(), watching.signal);
  try {
    await sleep(settleMs);
    const hooks = strategy === 'profile-first' ? prepared() : unprepared();
    stop = await vm.migrate(to, hooks, strategy === 'garp');
    await Promise.race([report, sleep(releaseTimeoutMs)]);
    await sleep(settleMs); // late stop and resume reports, and the streams back in their stride
  } finally {
    watching.abort();
    counted = await stream.stop();
  }
  await Promise.all(asides);
  if (strategy === 'garp') {
    // nobody told the stations; now that it is measured, they learn where the VM is, for the next migration
    // a station that watches has seen the VM's end there, and knows no such VM any more
    if (!vm.watched) await tell(from, 'left');
    vm.reveal();
    await tell(to, 'started');
  }
  const haltedMs = (stop.resumedAt - stop.stoppedAt) / 1000;
  // a guest is silent for longer than it is halted (its emulated CPU starts cold), which is no doing of the network
  const stopMs = counted.own?.gapMs ?? haltedMs;
  const gapMs = Math.max(counted.toVm.gapMs, counted.fromVm.gapMs);
  const ended = await report;
  // the VM's own stop and resume may have been told after the release
  const migration = ended && ((await ground.api.get('migrations', ended.id))?.value ?? ended);
  if (!migration?.counts.destination)
    throw new LabError('the bridge has not reported the migration, so that what it dropped is not known');
  return {
    vm: vm.plan.name,
    from,
    to,
    strategy,
    stopMs: round(stopMs),
    haltedMs: round(haltedMs),
    gapMs: round(gapMs),
    networkAddedMs: round(gapMs - stopMs),
    heldMs: round(heldMs),
    lost: { toVm: counted.toVm.lost, fromVm: counted.fromVm.lost },
    droppedAtSwitch: dropped(migration),
    duplicated: counted.toVm.duplicated + counted.fromVm.duplicated,
    report: migration,
  };

  /** Goes on beside the migration, and is waited for after it. */
  function aside(told: Promise<unknown>): void {
    told.catch(() => {}); // not before it is waited for
    asides.push(told);
  }

  function tell(host: HostName, kind: HypervisorEvent['kind'], at = ground.timestamp()): Promise<Outcome> {
    return ground.announce(host, { kind, vm: vm.plan.name, macs: [vm.plan.mac], at });
  }

  /** The toolstack tells both stations what happens; where the stations watch the hypervisor, they know. */
  function prepared(): MigrationHooks {
    const say = vm.watched ? () => Promise.resolve<Outcome>({ granted: true }) : tell;
    let associated: Promise<Outcome>;
    return {
      begins: async () => insist(await say(to, 'incoming')),
      stopped: (at) => {
        aside(say(from, 'stopped', at));
        // it cannot speak at the source any more: the bridge may cut over while the last pages are copied
        associated = tell(to, 'arrived');
        associated.catch(() => {}); // beforeResume tells
      },
      beforeResume: async () => {
        const start = performance.now();
        insist(await associated);
        heldMs = performance.now() - start;
      },
      resumed: (at) => {
        aside(say(to, 'resumed', at));
        aside(say(from, 'left'));
      },
      aborted: async () => {
        await say(to, 'aborted');
        await say(from, 'aborted');
      },
    };
  }

  /** Nothing is prepared; the manager is told what was measured, and that an announcement may move the VM. */
  function unprepared(): MigrationHooks {
    const say = (moment: 'announce' | 'stop' | 'resume' | 'abort', at = ground.timestamp()) =>
      ground.api.report({ vsiId: vm.plan.vsiId, moment, at, by: 'lab', strategy: 'garp' });
    return {
      begins: async () => void (await say('announce')),
      stopped: (at) => aside(say('stop', at)),
      beforeResume: () => Promise.resolve(),
      resumed: (at) => aside(say('resume', at)),
      aborted: async () => void (await say('abort')),
    };
  }
}

function source(vm: LabVm, to: HostName): HostName {
  if (vm.host === null) throw new Invalid(`VM ${vm.plan.name} does not run`);
  if (vm.host === to) throw new Invalid(`VM ${vm.plan.name} is on ${to} already`);
  return vm.host;
}

function insist(outcome: Outcome): void {
  if (!outcome.granted) throw new LabError(`the network refused: ${outcome.reason}`);
}

function dropped({ counts: { source, destination } }: Migration): number {
  return [source, destination]
    .flatMap((count) => Object.values(count?.dropped ?? {}))
    .reduce((sum, frames) => sum + frames, 0);
}

function round(ms: number): number {
  return Math.round(ms * 1000) / 1000;
}

/** The VSI's first migration that ends after `since`, as soon as it has; null if `signal` is aborted before. */
async function ending(
  api: ApiClient,
  { vsiId }: LabVmPlan,
  since: Timestamp,
  signal: AbortSignal,
): Promise<Migration | null> {
  const found = Promise.withResolvers<Migration | null>();
  const look = (migration: Migration) => {
    const [first = 0] = Object.values(migration.times);
    if (migration.vsiId === vsiId && first >= since && over.has(migration.state)) found.resolve(migration);
  };
  signal.addEventListener('abort', () => found.resolve(null), { once: true });
  const stop = new AbortController();
  const watching = api.watch(
    'migrations',
    null,
    (event) => {
      if (event.kind === 'list') for (const { value } of event.items) look(value);
      if (event.kind === 'put') look(event.value);
    },
    stop.signal,
  );
  const migration = await found.promise;
  stop.abort();
  await watching;
  return migration;
}

const over: ReadonlySet<Migration['state']> = new Set(['released', 'aborted', 'failed']);
