import { type MigrationReport, isFinished, type Migration } from '../../domain/migration.ts';
import type { VsiId } from '../../domain/vsi-id.ts';
import type { Store } from '../../store/store.ts';
import type { Revision } from '../../store/lineage.ts';
import { collectionPrefix, latestMigrationKey, migrationCounterKey, objectKey } from '../objects/keys.ts';
import { inOrder, withClock, type Dated } from './agent-clock.ts';
import { applyReport, belongs, newMigration } from './machine.ts';
import { latestOf, putMigration } from '../objects/migration-entry.ts';
import { Refusal } from '../objects/refusal.ts';
import { decide, type Transaction } from '../objects/transaction.ts';

export interface Reported {
  readonly migration: Migration;
  /** the same as JSON text */
  readonly value: string;
  readonly opened: boolean;
  readonly revision: Revision;
}

/**
 * Takes one report into the migration that it belongs to, or opens one; `keep` is how many past ones there may be.
 * @throws Refusal when there is no such VSI (404) or the report cannot be (409)
 */
export async function takeReport(store: Store, keep: number, told: Dated): Promise<Reported> {
  const { vsiId, at: heard } = told.report;
  const said = heard - (told.offset ?? 0);
  const { result, revision } = await decide(store, async (transaction) => {
    if (!(await transaction.get(objectKey('vsis', vsiId))))
      throw new Refusal(404, `there is no VSI ${vsiId}`, 'vsiId');
    const latest = await latestOf(transaction, vsiId);
    const whose = belongs(latest, told.report, said);
    if (typeof whose === 'object') throw new Refusal(409, whose.refused);
    if (whose === 'instead')
      putMigration(transaction, {
        ...latest!,
        state: 'failed',
        reason: 'another migration of the VSI began',
      });
    const opened = whose !== 'latest';
    const dated = opened ? told : inOrder(told, latest);
    const before = opened ? await open(transaction, dated.report) : latest!;
    const applied = applyReport(before, dated.report);
    if ('refused' in applied) throw new Refusal(409, applied.refused);
    const migration = withClock(before, applied, dated);
    const value = putMigration(transaction, migration);
    if (opened) await forgetOld(store, transaction, keep, vsiId);
    return { migration, value, opened };
  });
  return { ...result, revision };
}

async function open(transaction: Transaction, report: MigrationReport): Promise<Migration> {
  const newest = await transaction.get(migrationCounterKey);
  const id = String(Number(newest?.value ?? 0) + 1);
  transaction.put(migrationCounterKey, id);
  transaction.put(latestMigrationKey(report.vsiId), id);
  return newMigration(id, report);
}

/** What a stored migration says of its life; read without its schema, for this reads all of them. */
type Life = Pick<Migration, 'vsiId' | 'state'>;

/** How many to forget at once at most, where `keep` was made smaller: stores bound a transaction. */
const mostForgotten = 50;

/** Forgets the oldest past migrations: finished ones, and those after which their VSI moved on. */
async function forgetOld(
  store: Store,
  transaction: Transaction,
  keep: number,
  opening: VsiId,
): Promise<void> {
  const { entries } = await store.list(collectionPrefix('migrations'));
  if (entries.length <= keep) return;
  const migrations = entries.map(({ key, value }) => ({ key, migration: JSON.parse(value) as Life }));
  const latest = new Map(migrations.map(({ key, migration }) => [migration.vsiId, key]));
  latest.delete(opening);
  const past = migrations.filter(
    ({ key, migration }) => isFinished(migration) || latest.get(migration.vsiId) !== key,
  );
  const surplus = Math.min(past.length - keep, mostForgotten);
  for (const { key } of past.slice(0, Math.max(0, surplus))) transaction.put(key, null);
}
