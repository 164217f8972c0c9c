import {
  type MigrationReport,
  isFinished,
  moments,
  repeatable,
  type BridgePort,
  type Losses,
  type Migration,
  type MigrationState,
  type Moment,
  type Timestamp,
} from '../../domain/migration.ts';
import { saidOf } from './agent-clock.ts';

/**
 * The life of a migration, pure. Reports come from several agents and overtake each other on their way, so a state is
 * never stepped to: it follows from which moments are known, and any order of the same reports ends in the same state.
 *
 *     announce     reserve      ready  stop, flip, resume  active     release (and active)
 *   announced ──▶ reserving ──▶ ready ──▶  switching  ──▶ active ──▶ released
 *        └────────────┴───────────┴────────────┴─────────────┴─────▶ aborted (abort), failed (fail)
 */
export function applyReport(migration: Migration, report: MigrationReport): Migration | Refused {
  const { moment } = report;
  const conflict = conflictOf(migration, report);
  if (conflict) return { refused: `migration ${migration.id} ${conflict}` };
  const counts = {
    source: report.counts?.source ?? migration.counts.source,
    destination: report.counts?.destination ?? migration.counts.destination,
  };
  const known: Migration = {
    ...migration,
    counts,
    lost: lostIn(migration.lost, report.lost),
    source: migration.source ?? report.source ?? null,
    destination: migration.destination ?? report.destination ?? null,
  };
  if (moment === 'abort' || moment === 'fail') {
    if (isEnded(migration)) return known;
    const reason = report.reason ?? `${report.by} aborted it`;
    return { ...known, state: ends[moment], reason };
  }
  const times = timesWith(migration.times, moment, report.at);
  return { ...known, times, state: isEnded(migration) ? migration.state : stateOf(times) };
}

/** Why a report cannot be: one line that names the migration. */
export interface Refused {
  readonly refused: string;
}

const ends = { abort: 'aborted', fail: 'failed' } as const;

function isEnded({ state }: Migration): boolean {
  return state === 'aborted' || state === 'failed';
}

/** What agents count grows. */
function lostIn(known: Losses, told: Losses = {}): Losses {
  const more = Object.entries(told).filter(
    ([where, frames]) => frames > (known[where as keyof Losses] ?? -1),
  );
  return { ...known, ...Object.fromEntries(more) };
}

/** The first report of a moment counts; of a repeatable one the latest, in whatever order they come. */
function timesWith(times: Migration['times'], moment: Moment, at: Timestamp): Migration['times'] {
  const before = times[moment] ?? at;
  const all = { ...times, [moment]: repeatable.has(moment) ? Math.max(before, at) : before };
  return Object.fromEntries(moments.flatMap((each) => (all[each] === undefined ? [] : [[each, all[each]]])));
}

function stateOf(times: Migration['times']): MigrationState {
  if (times.active !== undefined) return times.release !== undefined ? 'released' : 'active';
  const { stop, flip, resume, release } = times;
  if ([stop, flip, resume, release].some((time) => time !== undefined)) return 'switching';
  if (times.ready !== undefined) return 'ready';
  return times.reserve !== undefined ? 'reserving' : 'announced';
}

function conflictOf(migration: Migration, report: MigrationReport): string | undefined {
  const { moment } = report;
  const { state } = migration;
  if (report.strategy !== undefined && report.strategy !== migration.strategy)
    return `has strategy ${migration.strategy}, not ${report.strategy}`;
  if (differs(migration.source, report.source))
    return `leaves ${portText(migration.source)}, not ${portText(report.source)}`;
  if (differs(migration.destination, report.destination))
    return `goes to ${portText(migration.destination)}, not ${portText(report.destination)}`;
  if (moment === 'abort' || moment === 'fail') {
    if (state === 'released' || (isEnded(migration) && state !== ends[moment]))
      return `is ${state}; it cannot ${moment} any more`;
    return undefined;
  }
  // The VM's own stop and resume, what followed from them, and what was known before, are facts that may still arrive; the rest needs a life.
  const isFact = facts.has(moment) || migration.times[moment] !== undefined;
  return isEnded(migration) && !isFact ? `is ${state}; "${moment}" comes too late` : undefined;
}

const facts: ReadonlySet<Moment> = new Set(['stop', 'flip', 'undo', 'resume']);

function differs(known: BridgePort | null, told: BridgePort | undefined): boolean {
  return known !== null && told !== undefined && (known.bridge !== told.bridge || known.port !== told.port);
}

function portText(port: BridgePort | null | undefined): string {
  return port ? `${port.bridge} ${port.port}` : 'an unknown port';
}

/** What a report is about: the VSI's latest migration, a new one (in place of one that got stuck), or nothing that may be. */
export type Belongs = 'latest' | 'new' | 'instead' | Refused;

/**
 * Finds the migration that a report belongs to. Agents do not know ids: a moment belongs to the VSI's latest migration
 * while that is on its way; "announce" and "reserve" (and "active" of strategy `garp`, which nobody announces) open a
 * new one when the latest has got to "active" or has ended. So does a second "announce", or a "reserve" elsewhere, while
 * the latest is still on its way: nobody will hear of that one again. The order is that in which the reports came; agents'
 * clocks only tell a report that comes again, or very late.
 * @param said the time as the agent said it, where the report has another one
 */
export function belongs(
  latest: Migration | null,
  report: MigrationReport,
  said: Timestamp = report.at,
): Belongs {
  if (!opens(report)) return latest ? 'latest' : nothingToJoin(report);
  if (!latest) return 'new';
  if (report.moment !== 'abort' && report.moment !== 'fail' && saidOf(latest, report.moment) === said)
    return 'latest'; // it was told before
  if (isOfEarlier(latest, report)) return 'latest';
  if (!isSettled(latest)) return isStuck(latest, report) ? 'instead' : 'latest';
  return announcesLate(latest, report) ? 'latest' : 'new';
}

function nothingToJoin({ vsiId }: MigrationReport): Refused {
  return { refused: `VSI ${vsiId} has no migration; "announce" or "reserve" opens one` };
}

/** µs by which two clocks that are believed may differ */
const mostSkew = 2_000_000;

/** It tells of a time before the latest began: of one that is over, or not at all possible. */
function isOfEarlier({ times }: Migration, { at }: MigrationReport): boolean {
  return (
    at < Math.min(...Object.values(times)) - mostSkew &&
    !Object.values(times).some((time) => time > at + farAhead)
  );
}

/** µs: a time that is so far ahead of others was taken from a wrong clock by an earlier Hairpin, and says nothing */
const farAhead = 3_600_000_000;

/** The station's own word that it all began with, after the bridge's that it was over. */
function announcesLate({ times }: Migration, { moment, at }: MigrationReport): boolean {
  const began = times.ready ?? times.reserve;
  return moment === 'announce' && times.announce === undefined && began !== undefined && at < began;
}

function opens({ moment, strategy }: MigrationReport): boolean {
  return moment === 'announce' || moment === 'reserve' || (moment === 'active' && strategy === 'garp');
}

function isStuck(latest: Migration, { moment, destination }: MigrationReport): boolean {
  if (moment === 'announce') return latest.times.announce !== undefined;
  return moment === 'reserve' && differs(latest.destination, destination);
}

function isSettled(migration: Migration): boolean {
  return isFinished(migration) || migration.state === 'active';
}

/** A migration of which nothing is known but who it is of; its first report makes it one. */
export function newMigration(id: string, { vsiId, moment, strategy }: MigrationReport): Migration {
  return {
    id,
    vsiId,
    strategy: strategy ?? (moment === 'active' ? 'garp' : 'profile-first'),
    state: 'announced',
    source: null,
    destination: null,
    reason: null,
    times: {},
    counts: { source: null, destination: null },
    lost: {},
  };
}
