import { Failure } from '../base/failure.ts';
import type { Lineage, Revision } from './lineage.ts';

/**
 * The store contract: keys, revisions, conditional transactions and a watch, as etcd has them, so that one machine can
 * run on SQLite and several on etcd. Every committed transaction that changes something has the next revision.
 *
 * A key is 1 to 1,024 printable ASCII characters without blanks; keys sort by character. A value is any text.
 */
export interface Store {
  /** which database it is, and when its revisions went on from what others may have seen otherwise */
  readonly lineage: Lineage;
  get(key: string): Promise<Entry | null>;
  /** Every entry whose key begins with `prefix` ("" for all), by key, as of one revision. */
  list(prefix: string): Promise<{ readonly revision: Revision; readonly entries: readonly Entry[] }>;
  /**
   * Commits all `operations` (each on another key) in one revision if every condition holds, else changes nothing.
   * When it resolves, what it committed outlives a crash.
   */
  transact(conditions: readonly Condition[], operations: readonly Operation[]): Promise<Outcome>;
  /**
   * Every change of a key that begins with `prefix`, after revision `after`, in order and without gaps, until `signal`
   * is aborted or the store is closed; then it just ends. A slow reader costs no memory: it falls behind instead.
   * @throws Compacted when changes after `after` are no longer known: list again, and watch from there
   */
  watch(prefix: string, after: Revision, signal: AbortSignal): AsyncIterable<Change>;
  /** Forgets the changes up to and including `revision`; entries stay. */
  compact(revision: Revision): Promise<void>;
  close(): Promise<void>;
}

export interface Entry {
  readonly key: string;
  readonly value: string;
  /** when the key came to be, and when it was put last */
  readonly created: Revision;
  readonly modified: Revision;
}

/** Holds while the key's entry was last modified at that revision; 0: while there is no such key. */
export interface Condition {
  readonly key: string;
  readonly modified: Revision;
}

/** Puts a value, or deletes the key (`value: null`), which does nothing where there is no such key. */
export interface Operation {
  readonly key: string;
  readonly value: string | null;
}

export type Outcome =
  | { readonly committed: true; readonly revision: Revision }
  | { readonly committed: false };

/** What one transaction did to the watched keys; `entry` is null for a deleted key. */
export interface Change {
  readonly revision: Revision;
  readonly keys: readonly { readonly key: string; readonly entry: Entry | null }[];
}

/** The store cannot do what was asked: one line that names the file or the key and what would be right. */
export class StoreError extends Failure {
  override name = 'StoreError';
}

/** The changes asked for are no longer (or, after the database was replaced, not at all) in the history. */
export class Compacted extends Error {
  override name = 'Compacted';
}

/** @throws StoreError unless `key` is one that every driver can hold. */
export function checkKey(key: string): void {
  if (!/^[!-~]{1,1024}$/.test(key))
    throw new StoreError(
      `${JSON.stringify(key)} is not a key; 1 to 1024 printable ASCII characters without blanks are`,
    );
}
