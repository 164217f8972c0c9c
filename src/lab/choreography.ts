import type { Migration } from '../domain/migration.ts';
import type { HypervisorEvent } from '../hypervisors/event.ts';
import type { Outcome } from '../station/asking.ts';
import { watchEnding } from './ending.ts';
import { LabError } from './lab-error.ts';
import type { HostName } from './scenario.ts';
import type { Toolstack } from './toolstack.ts';
import type { LabVm, MigrationHooks } from './vm.ts';

/** Who is told what of a migration, when. */
export interface Choreography {
  /** nobody at the destination learns of the VM by its hypervisor */
  readonly unannounced: boolean;
  readonly hooks: MigrationHooks;
  /** Resolves when the switch has nothing more to do. */
  readonly over: Promise<unknown>;
  /** After the measurement: who was not told learns where the VM is, so that it can be reached and moved again. */
  readonly reveal: () => Promise<void>;
  /** What the manager knows of it; null where there is none. */
  readonly report: () => Promise<Migration | null>;
  /** Nothing of it is asked for any more. */
  readonly close: () => void;
}

/** The toolstack tells both stations what happens; where the stations watch the hypervisor, they know. */
export function profileFirst(
  toolstack: Toolstack,
  vm: LabVm,
  [from, to]: readonly [HostName, HostName],
): Choreography {
  const tell = teller(toolstack, vm);
  const say = vm.watched ? () => Promise.resolve<Outcome>({ granted: true }) : tell;
  const asides = new Asides();
  const ending = watchEnding(toolstack, vm);
  return {
    unannounced: false,
    hooks: {
      begins: async () => insist(await say(to, 'incoming')),
      stopped: (at) => asides.add(say(from, 'stopped', at)),
      beforeResume: () => Promise.resolve(),
      resumed: (at) => {
        asides.add(say(to, 'resumed', at));
        asides.add(say(from, 'left'));
      },
      aborted: async () => {
        await say(to, 'aborted');
        await say(from, 'aborted');
      },
    },
    over: ending.over,
    reveal: () => asides.settled(),
    report: async () => reported(await ending.report()),
    close: () => ending.close(),
  };
}

/** Nothing is prepared; the manager is told what was measured, and that the VM's own announcement may move it. */
export function garp(
  toolstack: Toolstack,
  vm: LabVm,
  [from, to]: readonly [HostName, HostName],
  silent: boolean,
): Choreography {
  const tell = teller(toolstack, vm);
  const { vsiId } = vm.plan;
  const say = (moment: 'announce' | 'stop' | 'resume' | 'abort', at = toolstack.timestamp()) =>
    toolstack.api.report({ vsiId, moment, at, by: 'lab', strategy: 'garp' });
  const asides = new Asides();
  const ending = watchEnding(toolstack, vm);
  return {
    unannounced: true,
    hooks: {
      begins: async () => void (await say('announce')),
      stopped: (at) => asides.add(say('stop', at)),
      beforeResume: () => Promise.resolve(),
      resumed: (at) => asides.add(say('resume', at)),
      aborted: async () => void (await say('abort')),
    },
    over: ending.over,
    reveal: async () => {
      await asides.settled();
      // a station that watches has seen the VM's end there, and knows no such VM any more
      if (!vm.watched) await tell(from, 'left');
      vm.reveal();
      await tell(to, 'started');
    },
    // of a silent VM the bridge has nothing to report: it has learned of no migration
    report: async () => (silent ? null : reported(await ending.report())),
    close: () => ending.close(),
  };
}

/** A plain learning bridge: it has no agents, and there is nobody to tell. */
export function learning(vm: LabVm): Choreography {
  return {
    unannounced: true,
    hooks: {
      begins: () => Promise.resolve(),
      stopped: () => {},
      beforeResume: () => Promise.resolve(),
      resumed: () => {},
      aborted: () => Promise.resolve(),
    },
    over: Promise.resolve(),
    reveal: () => {
      vm.reveal();
      return Promise.resolve();
    },
    report: () => Promise.resolve(null),
    close: () => {},
  };
}

/** @throws LabError without what the bridge has counted */
function reported(migration: Migration | null): Migration {
  if (!migration?.counts.destination)
    throw new LabError('the bridge has not reported the migration, so that what it dropped is not known');
  return migration;
}

function teller(toolstack: Toolstack, { plan }: LabVm) {
  return (host: HostName, kind: HypervisorEvent['kind'], at = toolstack.timestamp()): Promise<Outcome> =>
    toolstack.announce(host, { kind, vm: plan.name, macs: [plan.mac], at });
}

function insist(outcome: Outcome): void {
  if (!outcome.granted) throw new LabError(`the network refused: ${outcome.reason}`);
}

/** What goes on beside the migration, and is waited for after it. */
class Asides {
  readonly #promises: Promise<unknown>[] = [];

  add(promise: Promise<unknown>): void {
    promise.catch(() => {}); // `settled` tells
    this.#promises.push(promise);
  }

  /** @throws what one of them has thrown */
  async settled(): Promise<void> {
    await Promise.all(this.#promises);
  }
}
