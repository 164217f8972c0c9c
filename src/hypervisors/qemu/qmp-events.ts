import type { HypervisorEventKind } from '../event.ts';

/**
 * What one QEMU process is to its host, told from its monitor. Pure: `(state, input) → (state, kinds)`.
 *
 *     unknown ─▶ idle ─RESUME─▶ running ◀─RESUME── paused ◀─────────────────────┐ by hand, an error, a snapshot
 *           │                   │    ▲ └────STOP────▲                           │
 *           │                   │    └─failed──┐                                │
 *           │                   └──active──▶ outgoing ────STOP────▶ stopping ───┘
 *           │                                                          │ finish-migrate
 *           └──▶ incoming ─completed─▶ arrived ─RESUME─▶ running    switching ─completed─▶ left
 *                                                        running ◀─RESUME─ returning ◀─failed┘
 *
 * A STOP alone is no migration's: QEMU says the same for a `stop` by hand, an I/O error, a snapshot. It is the migration's
 * if the run state is `finish-migrate`, the migration has got to `pre-switchover`, `device` or `postcopy-active`, or the
 * memory is gone through once more while the VM stands still (MIGRATION_PASS, which on QEMU 7.2 comes before an answer
 * about the run state). A VM has left if its process ends in `postmigrate`: until then its toolstack may let it go on.
 *
 * `failed` is a destination whose migration failed; it ends by itself.
 */
export type QmpState =
  | 'unknown'
  | 'idle'
  | 'incoming'
  | 'arrived'
  | 'running'
  | 'paused'
  | 'outgoing'
  | 'postcopy'
  | 'stopping'
  | 'switching'
  | 'returning'
  | 'left'
  | 'failed';

export type QmpInput =
  /** query-status and query-migrate, at attachment; `migration` is absent before the first one */
  | { readonly kind: 'snapshot'; readonly status: string; readonly migration: string | null }
  /** query-status, when a step has asked for it */
  | { readonly kind: 'status'; readonly status: string }
  /** the RESUME and STOP events */
  | { readonly kind: 'resume' }
  | { readonly kind: 'stop' }
  /** a MIGRATION event (needs the `events` migration capability, except a destination's "setup") */
  | { readonly kind: 'migration'; readonly status: string }
  /** the MIGRATION_PASS event: the memory is gone through once more (needs the same) */
  | { readonly kind: 'pass' }
  /** the monitor's connection ended, as it does with the process */
  | { readonly kind: 'closed' };

export interface QmpStep {
  readonly state: QmpState;
  readonly emit: readonly HypervisorEventKind[];
  /** the run state decides: it is to be asked for */
  readonly look: boolean;
}

/** What `input` means to a VM in `state`; what means nothing leaves the state as it is. */
export function qmpStep(state: QmpState, input: QmpInput): QmpStep {
  switch (input.kind) {
    case 'snapshot':
      return found(state, input.status, input.migration);
    case 'status':
      return looked(state, input.status);
    case 'resume':
      return resume(state);
    case 'stop':
      return stop(state);
    case 'migration':
      return migration(state, input.status);
    case 'pass':
      if (state === 'running') return step('outgoing');
      return state === 'stopping' ? step('switching', 'stopped') : step(state);
    default: // closed
      if (state === 'incoming' || state === 'arrived') return step('unknown', 'aborted', 'gone');
      return state === 'left' ? step('unknown', 'left', 'gone') : step('unknown', 'gone');
  }
}

function step(state: QmpState, ...emit: HypervisorEventKind[]): QmpStep {
  return { state, emit, look: false };
}

function look(state: QmpState): QmpStep {
  return { state, emit: [], look: true };
}

/** migration states of a source on its way (qapi/migration.json, MigrationStatus) */
const underWay = new Set([
  'setup',
  'active',
  'postcopy-active',
  'postcopy-paused',
  'pre-switchover',
  'device',
]);

/** of these, those in which the VM stands still for the switch-over */
const switchOver = new Set(['pre-switchover', 'device']);

/** At attachment, tells what the process is. */
function found(state: QmpState, status: string, migration: string | null): QmpStep {
  if (state !== 'unknown') return step(state);
  switch (status) {
    case 'prelaunch':
      return step('idle');
    case 'inmigrate':
      return step('incoming', 'incoming');
    case 'postmigrate':
      return step('left');
    case 'running':
      return step(migration !== null && underWay.has(migration) ? 'outgoing' : 'running', 'started');
    case 'paused':
      // it came by a migration and is held: just now by its toolstack, or long after by somebody; both end by RESUME
      return migration === 'completed' ? step('arrived', 'arrived') : step('paused', 'started');
    case 'finish-migrate':
      return step('switching', 'started', 'stopped');
    default:
      // suspended, watchdog, io-error, guest-panicked …: it has run here and has not gone anywhere
      return step('paused', 'started');
  }
}

/** The run state, after a STOP or the end of a migration of which it is not known what it did to the VM. */
function looked(state: QmpState, status: string): QmpStep {
  switch (state) {
    case 'running':
    case 'paused':
    case 'outgoing':
    case 'postcopy':
    case 'stopping':
      if (status === 'postmigrate') return step('left', 'stopped');
      if (status === 'finish-migrate') return step('switching', 'stopped');
      return step(state === 'stopping' ? 'paused' : state);
    case 'switching':
      // the memory was gone through by chance just when somebody stopped the VM by hand
      return status === 'paused' ? step('paused', 'resumed') : step(state);
    case 'returning':
      return step(status === 'postmigrate' ? 'left' : state);
    default:
      return step(state);
  }
}

function stop(state: QmpState): QmpStep {
  switch (state) {
    case 'running':
      // may be the switch-over of a migration whose begin went unheard
      return look('paused');
    case 'outgoing':
      return look('stopping');
    case 'postcopy':
      return step('switching', 'stopped');
    default:
      return step(state);
  }
}

function resume(state: QmpState): QmpStep {
  switch (state) {
    case 'idle':
      return step('running', 'started');
    case 'incoming':
    case 'arrived':
      return step('running', 'resumed');
    case 'paused':
      return step('running');
    case 'stopping':
      return step('outgoing');
    case 'switching':
      // taken back before the migration's end was told; "failed" or "cancelled" follows
      return step('outgoing', 'resumed');
    case 'returning':
      return step('running', 'resumed');
    case 'left':
      // the toolstack takes it back: the destination could not let it run (libvirt's "confirm" phase)
      return step('running', 'aborted', 'resumed');
    default:
      return step(state);
  }
}

function migration(state: QmpState, status: string): QmpStep {
  const failed = status === 'failed' || status === 'cancelled';
  switch (state) {
    case 'incoming':
      if (status === 'completed') return step('arrived', 'arrived');
      return status === 'failed' ? step('failed', 'aborted') : step(state);
    case 'arrived':
      return status === 'failed' ? step('failed', 'aborted') : step(state);
    case 'running':
      if (status === 'completed') return look(state);
      return underWay.has(status) ? step('outgoing') : step(state);
    case 'paused':
      if (status === 'completed') return look(state);
      return switchOver.has(status) ? step('switching', 'stopped') : step(state);
    case 'outgoing':
    case 'postcopy':
      // a snapshot is complete while the VM runs; a VM that was paused before has not been seen to stop
      if (status === 'completed') return look('running');
      if (failed) return step('running', 'aborted');
      if (status === 'postcopy-active') return step('postcopy');
      return switchOver.has(status) ? step('switching', 'stopped') : step(state);
    case 'stopping':
      if (status === 'completed') return look('paused');
      if (failed) return step('paused', 'aborted');
      return switchOver.has(status) || status === 'postcopy-active'
        ? step('switching', 'stopped')
        : step(state);
    case 'switching':
      if (status === 'completed') return step('left');
      return failed ? step('returning', 'aborted') : step(state);
    case 'returning':
      return status === 'completed' ? look(state) : step(state);
    default:
      return step(state);
  }
}
