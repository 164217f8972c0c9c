import type { CollectionName, WritableName } from '../../api/collections.ts';
import type { MacAddress } from '../../domain/mac-address.ts';
import type { VsiId } from '../../domain/vsi-id.ts';

/** Where things are in the store. */

/** All objects of a collection. */
export function collectionPrefix(name: CollectionName): string {
  return `${name}/`;
}

const migrationDigits = 12;

/** One object. Migrations are numbered; with leading zeros they sort by age. */
export function objectKey(name: CollectionName, key: string): string {
  return collectionPrefix(name) + (name === 'migrations' ? key.padStart(migrationDigits, '0') : key);
}

/** The object's key in the API. */
export function keyOfObject(name: CollectionName, stored: string): string {
  const key = stored.slice(collectionPrefix(name).length);
  return name === 'migrations' ? key.replace(/^0+/, '') : key;
}

/**
 * Written with every object of the collection that others may be refused for (a VSI uses a profile …), so that a
 * decision about "no object does" can be conditional on this one key.
 */
export function guardKey(name: WritableName): string {
  return `guards/${name}`;
}

export const addressPrefix = 'addresses/';

/** A JSON list of the VSIs that have an address; they are on different VLANs. */
export function addressKey(mac: MacAddress): string {
  return addressPrefix + mac;
}

/** The id of the VSI's latest migration. */
export function latestMigrationKey(vsiId: VsiId): string {
  return `latest-migrations/${vsiId}`;
}

/** The id of the newest migration of all. */
export const migrationCounterKey = 'counters/migrations';

/** Written when the administrator says that the database is right as it is, whatever bridges remember of another one. */
export const acceptedKey = 'accepted';
