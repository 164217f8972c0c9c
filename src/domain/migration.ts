import { Invalid } from '../base/invalid.ts';
import type { VsiId } from './vsi-id.ts';

/** Microseconds since 1970-01-01T00:00:00Z; an integer below 2^53. */
export type Timestamp = number;

/** The life of a migration; "aborted" and "failed" end it from any state before "released". */
export const migrationStates = [
  'announced',
  'reserving',
  'ready',
  'switching',
  'active',
  'released',
  'aborted',
  'failed',
] as const;
export type MigrationState = (typeof migrationStates)[number];

/** `profile-first`: prepared before the VM moves. `garp`: set once the VM's gratuitous ARP was seen. */
export const strategies = ['profile-first', 'garp'] as const;
export type Strategy = (typeof strategies)[number];

/**
 * The moments a report has, in the order of a profile-first migration. `flip`: the destination's port was made active before
 * its station had said that the VM runs there; `undo`: that was taken back; `active`: its station said so.
 */
export const moments = [
  'announce',
  'reserve',
  'ready',
  'stop',
  'flip',
  'undo',
  'resume',
  'active',
  'release',
] as const;
export type Moment = (typeof moments)[number];

/** Of these the last report counts: a flip that was undone may be made again. Of the others the first. */
export const repeatable: ReadonlySet<Moment> = new Set(['flip', 'undo']);

/**
 * Frames to the VM that its move has cost, by where they were lost:
 *
 * - `beforeFlip`: they went to the source's port after the VM had stopped, and before the flip
 * - `sourceTap`: they had reached the source's tap before that, and were not read
 * - `queueFull`: they found no room in the destination's queue
 * - `undone`: they went to the destination's port by a flip that was undone
 */
export const losses = ['beforeFlip', 'sourceTap', 'queueFull', 'undone'] as const;
/** What nobody has counted is not there. */
export type Losses = Readonly<Partial<Record<(typeof losses)[number], number>>>;

export interface BridgePort {
  readonly bridge: string;
  readonly port: string;
}

/** What the bridge counted for the VSI at one port, from the migration's first moment to its last. */
export interface PortCount {
  readonly framesFromVm: number;
  readonly framesToVm: number;
  /** frames by drop reason */
  readonly dropped: Readonly<Record<string, number>>;
  readonly firstFrame: Timestamp | null;
  readonly lastFrame: Timestamp | null;
}

export interface Migration {
  readonly id: string;
  readonly vsiId: VsiId;
  readonly strategy: Strategy;
  readonly state: MigrationState;
  readonly source: BridgePort | null;
  readonly destination: BridgePort | null;
  readonly reason: string | null;
  /** by the manager's clock */
  readonly times: Readonly<Partial<Record<Moment, Timestamp>>>;
  /** whose clock did not fit, and how many µs were added to what he said: of these moments the time is a guess */
  readonly clocks?: Readonly<Partial<Record<Moment, { readonly by: string; readonly offset: number }>>>;
  readonly counts: { readonly source: PortCount | null; readonly destination: PortCount | null };
  readonly lost: Losses;
}

/** Ended for good: neither the VM nor an agent has anything left to do for it. */
export function isFinished({ state }: Pick<Migration, 'state'>): boolean {
  return state === 'released' || state === 'aborted' || state === 'failed';
}

/** One moment of a VSI's migration, as the agent that saw it tells the manager; it need not know the migration's id. */
export interface MigrationReport {
  readonly vsiId: VsiId;
  readonly moment: Moment | 'abort' | 'fail';
  readonly at: Timestamp;
  /** the agent */
  readonly by: string;
  readonly strategy?: Strategy;
  readonly source?: BridgePort;
  readonly destination?: BridgePort;
  readonly counts?: { readonly source?: PortCount | null; readonly destination?: PortCount | null };
  /** frames to the VM that this agent has counted as lost */
  readonly lost?: Losses;
  /** required for "fail" */
  readonly reason?: string;
}

/** A migration's id: numbers from 1. @throws Invalid */
export function parseMigrationId(value: string): string {
  if (!/^[1-9]\d{0,11}$/.test(value)) throw new Invalid(`"${value}" is not a migration; a number like 17 is`);
  return value;
}
