import { z } from 'zod';
import { collectionNames, collections, writeSchemas, type CollectionName } from '../../api/collections.ts';
import { jsonSchema } from '../../api/bridge.ts';
import { migrationReportSchema } from '../../api/migration.ts';
import { vsiStatusSchema } from '../../api/vsi.ts';

/** The names that the API's document gives its schemas. */
const schemas = {
  Tenant: collections.tenants.schema,
  PortProfile: collections.profiles.schema,
  Vsi: collections.vsis.schema,
  VsiSpec: writeSchemas.vsis,
  VsiStatus: vsiStatusSchema,
  Bridge: collections.bridges.schema,
  Json: jsonSchema,
  Migration: collections.migrations.schema,
  MigrationReport: migrationReportSchema,
} satisfies Record<string, z.ZodType>;
export type SchemaName = keyof typeof schemas;

const objectSchema: { readonly [Name in CollectionName]: SchemaName } = {
  tenants: 'Tenant',
  profiles: 'PortProfile',
  vsis: 'Vsi',
  bridges: 'Bridge',
  migrations: 'Migration',
};

type JsonSchema = Readonly<Record<string, unknown>>;

/** Everything under #/components/schemas: the schemas as clients write them, and the lists and the error. */
export function componentSchemas(): Readonly<Record<string, JsonSchema>> {
  const registry = z.registry<{ id: string }>();
  for (const [id, schema] of Object.entries(schemas)) registry.add(schema, { id });
  const { schemas: own } = z.toJSONSchema(registry, {
    io: 'input',
    uri: (id) => `#/components/schemas/${id}`,
    unrepresentable: 'any',
  });
  const revision = { type: 'integer', description: "the manager's count of changes" };
  const lists = collectionNames.map((name): [string, JsonSchema] => [
    `${objectSchema[name]}List`,
    object(
      {
        revision,
        cursor: { type: 'string', description: 'to watch from here, or to say later what is known' },
        accepted: { type: 'integer', description: 'when the administrator accepted the database; 0: never' },
        continues: { type: 'boolean', description: 'whether the database went through what was `known`' },
        unreadable: {
          type: 'array',
          items: { type: 'string' },
          description: 'keys whose objects the database has and nobody can read',
        },
        items: { type: 'array', items: object({ revision, value: ref(objectSchema[name]) }) },
      },
      ['revision', 'cursor', 'accepted', 'items'],
    ),
  ]);
  const error = object({ error: { type: 'string' }, field: { type: 'string' } }, ['error']);
  const named = Object.entries(own).map(([id, { $schema: _s, $id: _i, ...rest }]): [string, JsonSchema] => [
    id,
    rest,
  ]);
  return Object.fromEntries([...named, ...lists, ['Accepted', object({ revision })], ['Error', error]]);
}

function object(properties: JsonSchema, required = Object.keys(properties)): JsonSchema {
  return { type: 'object', properties, required };
}

function ref(name: string): { $ref: string } {
  return { $ref: `#/components/schemas/${name}` };
}

export function jsonOf(name: string) {
  return { 'application/json': { schema: ref(name) } };
}

const reason = (description: string) => ({ description, content: jsonOf('Error') });
export const refusals = {
  400: reason('the request is not right; "field" is the path of the key that is wrong'),
  403: reason('the token is of somebody who may not do this'),
  404: reason('there is no such object'),
  409: reason('another object stands against it'),
  412: reason('the object has changed since the revision that If-Match states'),
};

const collectionPaths: { readonly [Name in CollectionName]: string } = {
  tenants: '{name}',
  profiles: '{managerId}/{typeId}/{typeVersion}',
  vsis: '{vsiId}',
  bridges: '{name}',
  migrations: '{id}',
};

/** What the document says of a collection; `key` names the path's parameters, which make the object's key. */
export const documented = collectionNames.map((name) => {
  const key = Array.from(collectionPaths[name].matchAll(/\{(\w+)\}/g), ([, parameter]) => parameter!);
  return {
    name,
    key,
    path: `/v1/${name}/${collectionPaths[name]}`,
    schema: objectSchema[name],
    parameters: key.map((parameter) => ({
      name: parameter,
      in: 'path' as const,
      required: true,
      schema: { type: 'string' as const },
    })),
  };
});

export const ifMatch = {
  name: 'If-Match',
  in: 'header' as const,
  description: 'the ETag of the object that the write is about; absent: whatever is there',
  schema: { type: 'string' as const },
};
