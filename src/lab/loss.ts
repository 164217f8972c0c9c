import type { Timestamp } from '../domain/migration.ts';
import type { ProbeFate } from './stream/accounting.ts';

/** What became of the frames of the stream to the VM that it never received, by where the network sent them. */
export interface LossToVm {
  /** to the source before the VM stopped: they were still in its tap */
  readonly sourceTap: number;
  /** to the source when the VM had stopped there, or ran elsewhere: the network had not flipped yet */
  readonly beforeFlip: number;
  /** to the destination while the VM stood still: its queue there did not keep them */
  readonly queueFull: number;
  /** to the destination when the VM ran there; and those that the network sent to neither */
  readonly afterFlip: number;
}

export interface Move {
  /** the places among those where frames leave the network */
  readonly source: number;
  readonly destination: number;
  readonly stoppedAt: Timestamp;
  readonly resumedAt: Timestamp;
}

export function lossToVm(probes: readonly ProbeFate[], move: Move): LossToVm {
  const loss = { sourceTap: 0, beforeFlip: 0, queueFull: 0, afterFlip: 0 };
  for (const probe of probes) {
    const lost = lossOf(probe, move);
    if (lost) loss[lost]++;
  }
  return loss;
}

/**
 * What left at the source after the stop is lost, whatever the VM says: of a VM that is a namespace only the process
 * stands still, and its kernel takes in what no guest could.
 */
function lossOf(
  { received, left }: ProbeFate,
  { source, destination, stoppedAt, resumedAt }: Move,
): keyof LossToVm | null {
  if (left?.by === source && left.at >= stoppedAt) return 'beforeFlip';
  if (received) return null;
  if (left?.by === source) return 'sourceTap';
  return left?.by === destination && left.at < resumedAt ? 'queueFull' : 'afterFlip';
}
