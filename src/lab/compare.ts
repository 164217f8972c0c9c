import { strategies, type Strategy } from '../domain/migration.ts';
import type { Lab } from './lab.ts';
import type { MigrationRun } from './migrate.ts';

type Measured = Pick<
  MigrationRun,
  'stopMs' | 'haltedMs' | 'gapMs' | 'networkAddedMs' | 'heldMs' | 'lost' | 'droppedAtSwitch' | 'duplicated'
>;

export interface Comparison {
  readonly strategies: Readonly<
    Record<
      Strategy,
      {
        readonly runs: readonly Measured[];
        readonly networkAddedMs: { readonly p50: number; readonly max: number };
      }
    >
  >;
}

/**
 * Moves one VM there and back, `runs` times by each strategy, in turn, so that whatever else the machine does falls on
 * both alike.
 */
export async function compare(
  lab: Lab,
  runs: number,
  progress: (line: string) => void,
  stop: AbortSignal,
): Promise<Comparison> {
  const vm = 'a';
  const measured: Record<Strategy, Measured[]> = { 'profile-first': [], garp: [] };
  for (let run = 1; run <= runs; run++)
    for (const strategy of strategies) {
      stop.throwIfAborted();
      const host = lab.status().vms.find(({ name }) => name === vm)!.host === 'h1' ? 'h2' : 'h1';
      const { stopMs, haltedMs, gapMs, networkAddedMs, heldMs, lost, droppedAtSwitch, duplicated } =
        await lab.migrate(vm, host, strategy);
      progress(`run ${run} of ${runs}, ${strategy}: the network added ${networkAddedMs.toFixed(1)} ms`);
      measured[strategy].push({
        stopMs,
        haltedMs,
        gapMs,
        networkAddedMs,
        heldMs,
        lost,
        droppedAtSwitch,
        duplicated,
      });
    }
  const summary = (strategy: Strategy) => {
    const added = measured[strategy].map(({ networkAddedMs }) => networkAddedMs);
    return { runs: measured[strategy], networkAddedMs: { p50: median(added), max: Math.max(...added) } };
  };
  return { strategies: { 'profile-first': summary('profile-first'), garp: summary('garp') } };
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}
