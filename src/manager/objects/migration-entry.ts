import { z } from 'zod';
import { migrationSchema } from '../../api/migration.ts';
import { isFinished, type Migration } from '../../domain/migration.ts';
import type { VsiId } from '../../domain/vsi-id.ts';
import type { Entry } from '../../store/store.ts';
import { latestMigrationKey, objectKey } from './keys.ts';
import type { Transaction } from './transaction.ts';

/** Ends the VSI's migration, if one is on its way, and forgets which one was its latest. */
export async function endMigration(transaction: Transaction, vsiId: VsiId, reason: string): Promise<void> {
  const latest = await latestOf(transaction, vsiId);
  if (latest && !isFinished(latest)) putMigration(transaction, { ...latest, state: 'failed', reason });
  transaction.put(latestMigrationKey(vsiId), null);
}

/** The one that its VSI had last, whether it is on its way or not. */
export async function latestOf(transaction: Transaction, vsiId: VsiId): Promise<Migration | null> {
  const id = await transaction.get(latestMigrationKey(vsiId));
  const entry = id && (await transaction.get(objectKey('migrations', id.value)));
  return entry && migrationOf(entry);
}

/** The same as JSON text is what it returns. */
export function putMigration(transaction: Transaction, migration: Migration): string {
  const value = JSON.stringify(z.encode(migrationSchema, migration));
  transaction.put(objectKey('migrations', migration.id), value);
  return value;
}

function migrationOf({ value }: Entry): Migration {
  return migrationSchema.parse(JSON.parse(value));
}
