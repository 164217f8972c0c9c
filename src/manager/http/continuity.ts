import { parseCursor, passedThrough, type Cursor, type Revision } from '../../store/lineage.ts';
import type { Store } from '../../store/store.ts';
import { acceptedKey } from '../objects/keys.ts';

/** Where a client stands: a cursor, or a mere revision from one that knows of no cursors. */
export interface From {
  readonly revision: Revision;
  readonly cursor: Cursor | null;
}

/** Null for what is neither "17" nor "DATABASE.RUN:17". */
export function parseFrom(text: string): From | null {
  const cursor = parseCursor(text);
  if (cursor) return { revision: cursor.revision, cursor };
  return /^\d{1,15}$/.test(text) ? { revision: Number(text), cursor: null } : null;
}

/** Whether who stands there has to list again, before he hears of changes. */
export async function hasMissed(store: Store, { cursor }: From): Promise<boolean> {
  if (!cursor) return false;
  const { revision: head, accepted } = await acceptance(store);
  return accepted > cursor.revision || !passedThrough(store.lineage, cursor, head);
}

/** The head, and the revision at which the administrator accepted the database last; 0: never. */
export async function acceptance(store: Store): Promise<{ revision: Revision; accepted: Revision }> {
  const { revision, entries } = await store.list(acceptedKey);
  return { revision, accepted: entries[0]?.modified ?? 0 };
}
