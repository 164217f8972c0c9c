/** Grows by one with each transaction that changes something. Never 0, which stands for "absent" in conditions. */
export type Revision = number;

/**
 * Which database this is, and what became of it. Revisions are numbers of one database, and of one *run* of it: when a
 * file was restored from an older copy, its revisions are given once more, to other changes. Each opening starts a run
 * with a name by chance, so that a copy can never continue the run that it was taken from.
 */
export interface Lineage {
  readonly database: string;
  /** the oldest first; the last one is now */
  readonly runs: readonly Run[];
}

export interface Run {
  readonly name: string;
  /** the revision that it started from: its own changes come after that */
  readonly from: Revision;
}

/** A point in the history of a database: what somebody has seen up to there. */
export interface Cursor {
  readonly database: string;
  readonly run: string;
  readonly revision: Revision;
}

/** "DATABASE.RUN:17" */
export function formatCursor({ database, run, revision }: Cursor): string {
  return `${database}.${run}:${revision}`;
}

/** A revision of now. */
export function cursorAt({ database, runs }: Lineage, revision: Revision): string {
  return formatCursor({ database, run: runs.at(-1)!.name, revision });
}

/** Null for what is none. */
export function parseCursor(text: string): Cursor | null {
  const [, database, run, revision] = /^([0-9a-f]{32})\.([0-9a-f]{16}):(\d{1,15})$/.exec(text) ?? [];
  if (database === undefined || run === undefined) return null;
  return { database, run, revision: Number(revision) };
}

/** Whether the database went through that point: who stands there has missed nothing but what came after. */
export function passedThrough({ database, runs }: Lineage, cursor: Cursor, head: Revision): boolean {
  if (cursor.database !== database) return false;
  const i = runs.findIndex(({ name }) => name === cursor.run);
  return i >= 0 && cursor.revision <= (runs[i + 1]?.from ?? head);
}
