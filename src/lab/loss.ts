import type { Timestamp } from '../domain/migration.ts';
import type { LostProbe } from './stream/accounting.ts';

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

export function lossToVm(lost: readonly LostProbe[], move: Move): LossToVm {
  const loss = { sourceTap: 0, beforeFlip: 0, queueFull: 0, afterFlip: 0 };
  for (const probe of lost) loss[fateOf(probe, move)]++;
  return loss;
}

function fateOf({ left }: LostProbe, { source, destination, stoppedAt, resumedAt }: Move): keyof LossToVm {
  if (left?.by === source) return left.at < stoppedAt ? 'sourceTap' : 'beforeFlip';
  return left?.by === destination && left.at < resumedAt ? 'queueFull' : 'afterFlip';
}
