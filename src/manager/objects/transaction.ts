import type { Condition, Entry, Operation, Store } from '../../store/store.ts';
import type { Revision } from '../../store/lineage.ts';
import { Refusal } from './refusal.ts';

const mostTries = 100;

/**
 * A decision and its writes: what it read is still so when it commits, or it is decided again. `decide` reads through
 * the transaction, may throw to refuse, and has no other effect than its writes.
 */
export async function decide<T>(
  store: Store,
  decision: (transaction: Transaction) => Promise<T>,
): Promise<{ readonly result: T; readonly revision: Revision }> {
  for (let tries = 0; tries < mostTries; tries++) {
    const transaction = new Transaction(store);
    const result = await decision(transaction);
    const outcome = await transaction.commit();
    if (outcome.committed) return { result, revision: outcome.revision };
  }
  throw new Refusal(503, `${mostTries} others wrote the same thing meanwhile; try again`);
}

/** Reads, remembered as conditions, and writes, all or none of which happen. */
export class Transaction {
  readonly #store: Store;
  readonly #read = new Map<string, Entry | null>();
  readonly #writes = new Map<string, string | null>();

  constructor(store: Store) {
    this.#store = store;
  }

  /** The entry; it commits only if that is unchanged then. */
  async get(key: string): Promise<Entry | null> {
    const known = this.#read.get(key);
    if (known !== undefined) return known;
    const entry = await this.#store.get(key);
    this.#read.set(key, entry);
    return entry;
  }

  /** Entries that may have changed when it commits: read `guard` first, which is written with each of them. */
  async list(prefix: string, guard: string): Promise<readonly Entry[]> {
    await this.get(guard);
    return (await this.#store.list(prefix)).entries;
  }

  /** Puts a value, or deletes the key (null). */
  put(key: string, value: string | null): void {
    this.#writes.set(key, value);
  }

  commit() {
    const conditions: Condition[] = [...this.#read].map(([key, entry]) => ({
      key,
      modified: entry?.modified ?? 0,
    }));
    const operations: Operation[] = [...this.#writes].map(([key, value]) => ({ key, value }));
    return this.#store.transact(conditions, operations);
  }
}
