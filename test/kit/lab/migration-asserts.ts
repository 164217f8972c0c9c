import assert from 'node:assert/strict';
import type { Moment, Strategy } from '../../../src/domain/migration.ts';
import type { MigrationRun } from '../../../src/lab/migrate.ts';
import { hosts } from '../../../src/lab/scenario.ts';

/** The moments that every report has, and what follows what. */
const chains = {
  'profile-first': [
    ['announce', 'reserve', 'ready', 'stop', 'flip', 'active'],
    ['stop', 'resume'],
    ['flip', 'release'],
  ],
  // the VM's NIC announces itself when it comes up, which may be just before the VM runs
  garp: [
    ['announce', 'stop', 'resume'],
    ['stop', 'active', 'release'],
  ],
} as const satisfies Readonly<Record<Strategy, readonly (readonly Moment[])[]>>;

export interface Expected {
  readonly strategy: Strategy;
  readonly from: string;
  readonly to: string;
  /**
   * The source's station watches its hypervisor by itself. That may be done with the VM before the VM runs at the
   * destination: the release then comes behind the cut-over, but not always behind the resume.
   */
  readonly watched?: boolean;
  /**
   * How many frames QEMU may lose by itself: it takes one frame from the tap before it finds that the VM does not run yet,
   * and does not always give that one to the VM later (net.c, `net_vm_change_state_handler`). The switch sent it.
   */
  readonly queueFull?: 0 | 1;
}

/** What holds of every migration that succeeded. */
export function assertMigrated(
  run: MigrationRun,
  { strategy, from, to, watched = false, queueFull = 0 }: Expected,
): void {
  const told = JSON.stringify(run);
  const { report } = run;
  assert.ok(report, told);
  assert.deepEqual([run.strategy, report.strategy, run.from, run.to], [strategy, strategy, from, to], told);
  assert.deepEqual([report.state, report.reason], ['released', null], told);
  const portOf = (host: string) => hosts.find(({ name }) => name === host)!.port;
  assert.equal(report.destination?.port, portOf(to), told);
  // where the source let go of the VM before it was announced elsewhere, the announcement has no source
  if (report.source || strategy === 'profile-first') assert.equal(report.source?.port, portOf(from), told);

  assert.deepEqual(new Set(Object.keys(report.times)), new Set(chains[strategy].flat()), told);
  const inOrder = (chain: readonly Moment[]) => {
    const times = chain.map((moment) => report.times[moment]!);
    const sorted = [...times].sort((a, b) => a - b);
    assert.deepEqual(times, sorted, `${chain.join(' ≤ ')}: ${told}`);
  };
  for (const chain of chains[strategy]) inOrder(chain);
  if (strategy === 'profile-first' && !watched) inOrder(['resume', 'release']);

  assert.ok(run.stopMs > 0 && run.gapMs! > 0, told);
  assert.equal(run.duplicated, 0, told);
  if (strategy === 'profile-first') {
    const { fromVm, afterFlip } = run.lost;
    assert.deepEqual([run.droppedAtSwitch, fromVm, afterFlip], [0, 0, 0], told);
    assert.ok(run.lost.queueFull <= queueFull, told);
    // counted from the reservation on: at the source until the flip, at the destination from then on
    const { source, destination } = report.counts;
    assert.ok(source && source.framesToVm > 0 && destination && destination.framesToVm > 0, told);
  } else assert.ok(run.droppedAtSwitch > 0 && run.lost.beforeFlip > 0, told);
}
