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

/** The moments a report has, in the order of a profile-first migration. */
export const moments = ['announce', 'reserve', 'ready', 'stop', 'resume', 'active', 'release'] as const;
export type Moment = (typeof moments)[number];

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
}
