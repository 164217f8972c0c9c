import { z } from 'zod';
import { collections, type CollectionName, type WritableName, type Writes } from '../../api/collections.ts';
import type { Vsi, VsiStatus } from '../../domain/vsi.ts';
import type { VsiId } from '../../domain/vsi-id.ts';
import type { Entry, Store } from '../../store/store.ts';
import type { Revision } from '../../store/lineage.ts';
import { objectKey } from './keys.ts';
import { Refusal } from './refusal.ts';
import { objectOf, rules } from './rules.ts';
import { decide } from './transaction.ts';
import { mergeStatus } from './association.ts';

/** What a write states of the object before it. */
export type Precondition = { readonly revision: Revision } | 'exists' | 'none' | undefined;

export interface Written {
  /** the object as JSON text */
  readonly value: string;
  readonly revision: Revision;
  readonly created: boolean;
}

/** Creates or replaces an object. @throws Refusal: 412 when the precondition fails, 409 when a rule does */
export async function putObject<Name extends WritableName>(
  store: Store,
  name: Name,
  value: Writes[Name],
  precondition: Precondition,
): Promise<Written> {
  const key = collections[name].keyOf(value as never);
  return decideWrite(store, name, key, precondition, async (transaction, entry) => {
    const before = entry && objectOf(name, entry);
    await rules[name].put(transaction, value, before as never);
    const kept = name === 'vsis' ? { status: (before as Vsi | null)?.status ?? null } : {};
    return JSON.stringify(z.encode(collections[name].schema, { ...value, ...kept } as never));
  });
}

/** @throws Refusal: 404, 412, 409 */
export async function deleteObject(
  store: Store,
  name: WritableName,
  key: string,
  precondition: Precondition,
): Promise<void> {
  await decide(store, async (transaction) => {
    const at = objectKey(name, key);
    const entry = await transaction.get(at);
    if (!entry) throw notFound(name, key);
    check(precondition, entry);
    await rules[name].delete(transaction, objectOf(name, entry) as never);
    transaction.put(at, null);
  });
}

/** One bridge's word on where a VSI is. @throws Refusal 404 */
export async function putStatus(store: Store, vsiId: VsiId, status: VsiStatus): Promise<Written> {
  return decideWrite(store, 'vsis', vsiId, undefined, async (_, entry) => {
    if (!entry) throw notFound('vsis', vsiId);
    const vsi = objectOf('vsis', entry);
    return JSON.stringify(
      z.encode(collections.vsis.schema, { ...vsi, status: mergeStatus(vsi.status, status) }),
    );
  });
}

export function notFound(name: CollectionName, key: string): Refusal {
  return new Refusal(404, `there is no ${name.slice(0, -1)} ${key}`);
}

/** Writes what `next` makes of the entry; what is as it was is not written, and wakes no watcher. */
async function decideWrite(
  store: Store,
  name: WritableName,
  key: string,
  precondition: Precondition,
  next: (transaction: Parameters<Parameters<typeof decide>[1]>[0], entry: Entry | null) => Promise<string>,
): Promise<Written> {
  const { result, revision } = await decide(store, async (transaction) => {
    const at = objectKey(name, key);
    const entry = await transaction.get(at);
    check(precondition, entry);
    const value = await next(transaction, entry);
    if (entry?.value === value) return { value, created: false, kept: entry.modified };
    transaction.put(at, value);
    return { value, created: !entry, kept: null };
  });
  return { value: result.value, created: result.created, revision: result.kept ?? revision };
}

function check(precondition: Precondition, entry: Entry | null): void {
  if (precondition === undefined) return;
  if (precondition === 'none') {
    if (entry) throw new Refusal(412, `it exists already, at revision ${entry.modified}`);
    return;
  }
  if (!entry) throw new Refusal(412, 'it does not exist (any more)');
  if (precondition !== 'exists' && precondition.revision !== entry.modified)
    throw new Refusal(412, `it has changed: its revision is ${entry.modified}, not ${precondition.revision}`);
}
