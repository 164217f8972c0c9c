import type { z } from 'zod';
import { type Migration, parseMigrationId } from '../domain/migration.ts';
import type { PortProfile } from '../domain/port-profile.ts';
import { parseProfileKey, profileKey } from '../domain/profile-ref.ts';
import { parseVsiId } from '../domain/vsi-id.ts';
import { bridgeSchema } from './bridge.ts';
import type { Bridge } from '../domain/bridge.ts';
import { parseName } from '../forms/fields.ts';
import { migrationSchema } from './migration.ts';
import { profileSchema } from './profile.ts';
import { tenantSchema } from './tenant.ts';
import type { Tenant } from '../domain/tenant.ts';
import { vsiSchema, vsiSpecSchema } from './vsi.ts';
import type { Vsi, VsiSpec } from '../domain/vsi.ts';

/** What the API holds, by collection. */
export interface Objects {
  tenants: Tenant;
  profiles: PortProfile;
  vsis: Vsi;
  bridges: Bridge;
  migrations: Migration;
}
export type CollectionName = keyof Objects;

/** What a client may put; migrations come of reports. */
export interface Writes {
  tenants: Tenant;
  profiles: PortProfile;
  vsis: VsiSpec;
  bridges: Bridge;
}
export type WritableName = keyof Writes;

export interface Collection<Name extends CollectionName> {
  readonly schema: z.ZodType<Objects[Name]>;
  /** the object's key: "dc1/17/1", "acme" */
  keyOf(value: Name extends WritableName ? Writes[Name] : Objects[Name]): string;
  /** A key in its canonical form. @throws Invalid */
  parseKey(text: string): string;
}

export const collections: { readonly [Name in CollectionName]: Collection<Name> } = {
  tenants: { schema: tenantSchema, keyOf: ({ name }) => name, parseKey: parseName },
  profiles: {
    schema: profileSchema,
    keyOf: ({ ref }) => profileKey(ref),
    parseKey: (text) => profileKey(parseProfileKey(text)),
  },
  vsis: { schema: vsiSchema, keyOf: ({ vsiId }) => vsiId, parseKey: parseVsiId },
  bridges: { schema: bridgeSchema, keyOf: ({ name }) => name, parseKey: parseName },
  migrations: { schema: migrationSchema, keyOf: ({ id }) => id, parseKey: parseMigrationId },
};

/** What PUT takes. */
export const writeSchemas: { readonly [Name in WritableName]: z.ZodType<Writes[Name]> } = {
  tenants: tenantSchema,
  profiles: profileSchema,
  vsis: vsiSpecSchema,
  bridges: bridgeSchema,
};

export const collectionNames = Object.keys(collections) as CollectionName[];
export const writableNames = Object.keys(writeSchemas) as WritableName[];
