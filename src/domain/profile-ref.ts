import { Invalid } from '../base/invalid.ts';
import { parseManagerId, type ManagerId } from './manager-id.ts';

/** What names a port profile on the wire: manager id, VSI type id (24 bits) and version (8 bits) (802.1Q 41.2). */
export interface ProfileRef {
  readonly managerId: ManagerId;
  readonly typeId: number;
  readonly typeVersion: number;
}

/** A ProfileRef as one key: "dc1/17/1". */
export type ProfileKey = string & { readonly __brand: 'ProfileKey' };

export function profileKey(ref: ProfileRef): ProfileKey {
  return `${ref.managerId}/${ref.typeId}/${ref.typeVersion}` as ProfileKey;
}

/** @throws Invalid unless `value` reads MANAGER/TYPE/VERSION with the type below 2^24 and the version below 256. */
export function parseProfileKey(value: string): ProfileRef {
  const [manager, type, version, ...rest] = value.split('/');
  if (!manager || !type || !version || rest.length || !/^\d+$/.test(type) || !/^\d+$/.test(version))
    throw new Invalid(`"${value}" does not name a port profile; MANAGER/TYPE/VERSION like dc1/17/1 does`);
  return {
    managerId: parseManagerId(manager),
    typeId: parseTypeId(Number(type)),
    typeVersion: parseTypeVersion(Number(version)),
  };
}

/** @throws Invalid unless an integer from 0 to 2^24 - 1. */
export function parseTypeId(value: number): number {
  if (!Number.isInteger(value) || value < 0 || value > 0xffffff)
    throw new Invalid(`VSI type ${value} does not fit; it is 0 to 16777215`);
  return value;
}

/** @throws Invalid unless an integer from 0 to 255. */
export function parseTypeVersion(value: number): number {
  if (!Number.isInteger(value) || value < 0 || value > 255)
    throw new Invalid(`VSI type version ${value} does not fit; it is 0 to 255`);
  return value;
}
