import { strategies } from '../domain/migration.ts';
import type { Contender } from './contender.ts';
import type { Lab } from './lab.ts';
import type { LearningLab } from './learning-lab.ts';
import type { MigrationRun } from './migrate.ts';

type Measured = Pick<
  MigrationRun,
  'stopMs' | 'haltedMs' | 'gapMs' | 'networkAddedMs' | 'lost' | 'droppedAtSwitch' | 'duplicated'
>;

/** Null: in one of the runs, or in half of them, the VM was not reached again while it was watched. */
interface Added {
  readonly p50: number | null;
  readonly max: number | null;
}

export interface Comparison {
  /** whether the VM only received while it moved, and nobody announced it */
  readonly silent: boolean;
  /** `learning` only where there is a kernel to do it */
  readonly strategies: Readonly<
    Partial<Record<Contender, { readonly runs: readonly Measured[]; readonly networkAddedMs: Added }>>
  >;
}

export interface Contest {
  readonly lab: Lab;
  /** null: there is none */
  readonly learningLab: LearningLab | null;
  readonly runs: number;
  readonly silent: boolean;
}

/**
 * Moves one VM there and back, `runs` times by each strategy, in turn, so that whatever else the machine does falls on
 * all alike.
 */
export async function compare(
  contest: Contest,
  progress: (line: string) => void,
  stop: AbortSignal,
): Promise<Comparison> {
  const contestants = enrolled(contest).map((contestant) => ({ ...contestant, runs: [] as Measured[] }));
  for (let run = 1; run <= contest.runs; run++)
    for (const { contender, move, runs } of contestants) {
      stop.throwIfAborted();
      const measured = await move();
      progress(`run ${run} of ${contest.runs}, ${contender}: ${addedText(measured.networkAddedMs)}`);
      runs.push(essence(measured));
    }
  return {
    silent: contest.silent,
    strategies: Object.fromEntries(
      contestants.map(({ contender, runs }) => [contender, { runs, networkAddedMs: summary(runs) }]),
    ),
  };
}

/** Says what the network added; null: the VM was not reached again. */
export function addedText(ms: number | null): string {
  return ms === null ? 'the VM was not reached again' : `the network added ${ms.toFixed(1)} ms`;
}

interface Contestant {
  readonly contender: Contender;
  readonly move: () => Promise<MigrationRun>;
}

function enrolled({ lab, learningLab, silent }: Contest): Contestant[] {
  const vm = 'a';
  const next = (host: string | null) => (host === 'h1' ? 'h2' : 'h1');
  const hostNow = () => lab.status().vms.find(({ name }) => name === vm)!.host;
  return [
    ...strategies.map((strategy) => ({
      contender: strategy,
      move: () => lab.migrate(vm, next(hostNow()), strategy, silent),
    })),
    ...(learningLab
      ? [
          {
            contender: 'learning' as const,
            move: () => learningLab.migrate(next(learningLab.host), silent),
          },
        ]
      : []),
  ];
}

function essence(run: MigrationRun): Measured {
  const { stopMs, haltedMs, gapMs, networkAddedMs, lost, droppedAtSwitch, duplicated } = run;
  return { stopMs, haltedMs, gapMs, networkAddedMs, lost, droppedAtSwitch, duplicated };
}

function summary(runs: readonly Measured[]): Added {
  const added = runs.map(({ networkAddedMs }) => networkAddedMs ?? Infinity);
  const finite = (value: number) => (value === Infinity ? null : value);
  return { p50: finite(median(added)), max: finite(Math.max(...added)) };
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}
