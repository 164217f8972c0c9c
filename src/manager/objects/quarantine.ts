import { z } from 'zod';
import { collectionNames, collections } from '../../api/collections.ts';
import { problemsOf, lineOf } from '../../forms/explain.ts';
import { readTolerantly } from '../../forms/tolerant.ts';
import type { Change, Condition, Entry, Store } from '../../store/store.ts';
import type { Revision } from '../../store/lineage.ts';
import { addressPrefix, collectionPrefix, keyOfObject } from './keys.ts';

/** A store some of whose values cannot be read. For its users they are not there, until they are written anew. */
export interface ReadableStore extends Store {
  /** the keys of those under a prefix */
  unreadable(prefix: string): string[];
}

/**
 * Looks at all that the store has, once, while nobody uses it: a line to `report` for each value that cannot be read.
 * Only somebody who wrote into the file, a disk, or an earlier manager that took what no relay holds (a list of more than
 * 1,024 rules) can have made such a value, for the manager writes no others.
 */
export async function quarantined(store: Store, report: (line: string) => void): Promise<ReadableStore> {
  const broken = new Map<string, Revision>();
  const look = (entry: Entry, fault: string | null, cure: string): void => {
    if (fault === null) return;
    broken.set(entry.key, entry.modified);
    report(`database: ${entry.key} cannot be read and is left out: ${fault}; ${cure} would be right`);
  };
  for (const name of collectionNames)
    for (const entry of (await store.list(collectionPrefix(name))).entries) {
      const schema: z.ZodType = collections[name].schema;
      look(entry, faultOf(schema, entry.value), `to put ${keyOfObject(name, entry.key)} anew`);
    }
  for (const entry of (await store.list(addressPrefix)).entries)
    look(entry, faultOf(z.array(z.string()), entry.value), 'to put the VSIs that have the address anew');
  return broken.size ? without(store, broken) : { ...store, unreadable: () => [] };
}

function faultOf(schema: z.ZodType, value: string): string | null {
  let json: unknown;
  try {
    json = JSON.parse(value);
  } catch (error) {
    return (error as Error).message.split('\n')[0]!;
  }
  const read = readTolerantly(schema, json);
  return read.success ? null : lineOf(problemsOf(read.error, json)[0]!);
}

function without(store: Store, broken: Map<string, Revision>): ReadableStore {
  const isGood = ({ key, modified }: Entry) => broken.get(key) !== modified;
  const goodOnly = (entry: Entry | null) => (entry && isGood(entry) ? entry : null);
  // for who writes, there is nothing; for the store there is
  const real = ({ key, modified }: Condition): Condition => ({
    key,
    modified: modified === 0 ? (broken.get(key) ?? 0) : modified,
  });
  return {
    ...store,
    unreadable: (prefix) => [...broken.keys()].filter((key) => key.startsWith(prefix)),
    get: async (key) => goodOnly(await store.get(key)),
    list: async (prefix) => {
      const { revision, entries } = await store.list(prefix);
      return { revision, entries: entries.filter(isGood) };
    },
    transact: async (conditions, operations) => {
      const outcome = await store.transact(conditions.map(real), operations);
      if (outcome.committed) for (const { key } of operations) broken.delete(key);
      return outcome;
    },
    async *watch(...where) {
      for await (const { revision, keys } of store.watch(...where)) {
        const good = keys.filter(({ entry }) => entry === null || isGood(entry));
        if (good.length) yield { revision, keys: good } satisfies Change;
      }
    },
  };
}
