/**
 * Where a client stands in the manager's database: "DATABASE.RUN:REVISION". Revisions alone are not enough, for a database
 * that comes back from an older copy gives them once more, to other changes.
 */
export type Cursor = string & { readonly __brand: 'Cursor' };

export const cursorForm = /^[0-9a-f]{32}\.[0-9a-f]{16}:\d{1,15}$/;

/** The header in which an answer to a watch says what its revisions belong to. */
export const cursorHeader = 'hairpin-cursor';

export function isCursor(text: unknown): text is Cursor {
  return typeof text === 'string' && cursorForm.test(text);
}

/** Another revision of the same run of the same database. */
export function atRevision(cursor: Cursor, revision: number): Cursor {
  return `${cursor.slice(0, cursor.indexOf(':'))}:${revision}` as Cursor;
}
