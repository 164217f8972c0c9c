import type { HypervisorEventKind } from '../event.ts';

/**
 * What one QEMU process is to its host, told from its monitor. Pure: `(state, input) → (state, kinds)`.
 *
 *     unknown ─▶ idle ─RESUME─▶ running ─MIGRATION active─▶ outgoing ─STOP─▶ switching ─completed─▶ left
 *           └──▶ incoming ─completed─▶ arrived ─RESUME─▶ running       failed │
 *                                                        running ◀─RESUME─ returning
 *
 * `failed` is a destination whose migration failed; it ends by itself.
 */
export type QmpState =
  | 'unknown'
  | 'idle'
  | 'incoming'
  | 'arrived'
  | 'running'
  | 'outgoing'
  | 'switching'
  | 'returning'
  | 'left'
  | 'failed';

export type QmpInput =
  /** query-status and query-migrate; `migration` is absent before the first one */
  | { readonly kind: 'snapshot'; readonly status: string; readonly migration: string | null }
  /** the RESUME and STOP events */
  | { readonly kind: 'resume' }
  | { readonly kind: 'stop' }
  /** a MIGRATION event (needs the `events` migration capability, except a destination's "setup") */
  | { readonly kind: 'migration'; readonly status: string }
  /** the monitor's connection ended, as it does with the process */
  | { readonly kind: 'closed' };

export interface QmpStep {
  readonly state: QmpState;
  readonly emit: readonly HypervisorEventKind[];
}

/** What `input` means to a VM in `state`; what means nothing leaves the state as it is. */
export function qmpStep(state: QmpState, input: QmpInput): QmpStep {
  switch (input.kind) {
    case 'snapshot':
      return snapshot(state, input.status, input.migration);
    case 'resume':
      return resume(state);
    case 'stop':
      return state === 'outgoing' ? step('switching', 'stopped') : step(state);
    case 'migration':
      return migration(state, input.status);
    default: // closed
      return state === 'incoming' || state === 'arrived'
        ? step('unknown', 'aborted', 'gone')
        : step('unknown', 'gone');
  }
}

function step(state: QmpState, ...emit: HypervisorEventKind[]): QmpStep {
  return { state, emit };
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

/**
 * At attachment, tells what the process is; in state `running` or `outgoing`, after a STOP, whether that was the
 * switch-over of a migration whose begin went unheard.
 */
function snapshot(state: QmpState, status: string, migration: string | null): QmpStep {
  const switching = status === 'finish-migrate' || (status === 'paused' && isUnderWay(migration));
  if (state === 'running' || state === 'outgoing') {
    if (status === 'postmigrate') return step('left', 'stopped', 'left');
    return switching ? step('switching', 'stopped') : step(state);
  }
  if (state !== 'unknown') return step(state);
  switch (status) {
    case 'prelaunch':
      return step('idle');
    case 'inmigrate':
      return step('incoming', 'incoming');
    case 'postmigrate':
      return step('left', 'left');
    case 'running':
      return step(isUnderWay(migration) ? 'outgoing' : 'running', 'started');
    case 'paused':
      // it came by a migration and is held: just now by its toolstack, or long after by somebody; both end by RESUME
      if (migration === 'completed') return step('arrived', 'arrived');
      return switching ? step('switching', 'started', 'stopped') : step('running', 'started');
    case 'finish-migrate':
      return step('switching', 'started', 'stopped');
    default:
      // suspended, watchdog, io-error, guest-panicked …: it has run here and has not gone anywhere
      return step('running', 'started');
  }
}

function isUnderWay(migration: string | null): boolean {
  return migration !== null && underWay.has(migration);
}

function resume(state: QmpState): QmpStep {
  switch (state) {
    case 'idle':
      return step('running', 'started');
    case 'incoming':
    case 'arrived':
      return step('running', 'resumed');
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
  switch (state) {
    case 'running':
      return underWay.has(status) ? step('outgoing') : step(state);
    case 'incoming':
      if (status === 'completed') return step('arrived', 'arrived');
      return status === 'failed' ? step('failed', 'aborted') : step(state);
    case 'arrived':
      return status === 'failed' ? step('failed', 'aborted') : step(state);
    case 'outgoing':
    case 'switching':
      if (status === 'completed') return step('left', 'left');
      if (status !== 'failed' && status !== 'cancelled') return step(state);
      return step(state === 'outgoing' ? 'running' : 'returning', 'aborted');
    default:
      return step(state);
  }
}
