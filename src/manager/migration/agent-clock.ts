import type { MigrationReport, Migration, Moment, Timestamp } from '../../domain/migration.ts';

/** What an agent's time comes to by the manager's clock. */
export interface Judged {
  readonly at: Timestamp;
  /** µs between what the agent said and `at`; null: the agent's clock agrees, and it is believed */
  readonly offset: number | null;
}

/** µs: hosts that keep their time do better than this, and a busy manager reads its own clock later than a report comes. */
const tolerance = 1_000_000;

/**
 * When it happened what an agent reports, by the manager's clock: the agent says what its own clock shows as it sends
 * (`clock`), so that the difference between the two clocks is known. Who does not say is taken to report at once.
 */
export function judged(at: Timestamp, received: Timestamp, clock: Timestamp | null): Judged {
  const skew = received - (clock ?? at);
  if (Math.abs(skew) <= tolerance && at <= received + tolerance) return { at, offset: null };
  const ours = Math.max(0, Math.min(at + skew, received));
  return { at: ours, offset: ours - at };
}

/** A report with the time that is believed, and by how much that is another one than was said. */
export interface Dated {
  readonly report: MigrationReport;
  readonly offset: number | null;
}

/** Of two hosts whose clocks agree well enough to be believed, one may still be ahead of the other. */
export function inOrder(dated: Dated, latest: Migration | null): Dated {
  const { report } = dated;
  const { moment, at } = report;
  const { stop, resume } = latest?.times ?? {};
  let right = at;
  if (moment === 'resume' && stop !== undefined) right = Math.max(at, stop);
  if (moment === 'stop' && resume !== undefined) right = Math.min(at, resume);
  if (right === at) return dated;
  return { report: { ...report, at: right }, offset: (dated.offset ?? 0) + right - at };
}

/** What the agent said itself of a moment that the migration knows. */
export function saidOf({ times, clocks }: Migration, moment: Moment): Timestamp | undefined {
  const at = times[moment];
  return at === undefined ? undefined : at - (clocks?.[moment]?.offset ?? 0);
}

/** The migration after the report, with the difference between the clocks where the report's time stands in it. */
export function withClock(before: Migration | null, after: Migration, { report, offset }: Dated): Migration {
  const { moment, at, by } = report;
  if (offset === null || moment === 'abort' || moment === 'fail') return after;
  if (after.times[moment] !== at || before?.times[moment] === at) return after;
  return { ...after, clocks: { ...after.clocks, [moment]: { by, offset } } };
}
