import { OpenAPIHono } from '@hono/zod-openapi';
import type { Context } from 'hono';
import type { Logger } from 'pino';
import {
  collections,
  writeSchemas,
  type CollectionName,
  type WritableName,
  type Writes,
} from '../../api/collections.ts';
import { migrationReportSchema } from '../../api/migration.ts';
import { vsiStatusSchema } from '../../api/vsi.ts';
import type { Timestamp } from '../../domain/migration.ts';
import { parseVsiId } from '../../domain/vsi-id.ts';
import { StoreError } from '../../store/store.ts';
import { type Revision, cursorAt, passedThrough } from '../../store/lineage.ts';
import { judged } from '../migration/agent-clock.ts';
import type { Deed } from '../access/roles.ts';
import { authorize, bearer, type Access, type Identify } from '../access/tokens.ts';
import { acceptance } from './continuity.ts';
import { acceptedKey, collectionPrefix, guardKey, keyOfObject, objectKey } from '../objects/keys.ts';
import { takeReport } from '../migration/migrations.ts';
import { deleteObject, notFound, putObject, putStatus } from '../objects/objects.ts';
import { componentSchemas, documented, ifMatch, jsonOf, refusals } from './openapi.ts';
import { Refusal } from '../objects/refusal.ts';
import type { ReadableStore } from '../objects/quarantine.ts';
import { bodyOf, clockOf, keyOf, knownTo, preconditionOf, reportOf, watchedFrom } from './request.ts';
import { serveStationKeys } from '../access/station-keys.ts';
import { watchStream } from './watch-stream.ts';

export interface AppParts {
  readonly store: ReadableStore;
  readonly logger: Logger;
  readonly identify: Identify;
  readonly keepMigrations: () => number;
  /** the file of the keys that stations sign with */
  readonly stationKeys?: () => string | undefined;
  /** aborted when the manager closes: it ends the watches */
  readonly closing: AbortSignal;
  /** how long a client may take to read one change; the default is 30,000 ms */
  readonly patienceMs?: number;
}

type App = OpenAPIHono<Access>;

/** The API: collections under /v1, a status per VSI, migration reports, health and the document of all this. */
export function createApp(parts: AppParts): App {
  const app: App = new OpenAPIHono();
  guardRequests(app, parts);
  const accepting = new Accepting();
  for (const [name, schema] of Object.entries(componentSchemas()))
    app.openAPIRegistry.registerComponent('schemas', name, schema);
  for (const collection of documented) {
    serveReads(app, parts, accepting, collection);
    if (isWritable(collection.name)) serveWrites(app, parts, collection, collection.name);
  }
  serveStatus(app, parts);
  serveReports(app, parts);
  serveStationKeys(app, parts.stationKeys);
  serveAcceptance(app, parts, accepting);
  app.doc31('/v1/openapi.json', { openapi: '3.1.0', info: { title: 'Hairpin manager', version: '1' } });
  return app;
}

type Documented = (typeof documented)[number];

function isWritable(name: CollectionName): name is WritableName {
  return name in writeSchemas;
}

function guardRequests(app: App, { store, logger, identify }: AppParts): void {
  app.notFound((c) =>
    c.json({ error: `there is no ${c.req.path}; /v1/openapi.json says what there is` }, 404),
  );
  app.onError((error, c) => {
    if (error instanceof Refusal) {
      const { message, field } = error;
      return c.json({ error: message, ...(field !== undefined && { field }) }, error.status);
    }
    logger.error({ err: error, path: c.req.path }, 'request failed');
    const message = error instanceof StoreError ? error.message : 'the manager failed; its log says why';
    return c.json({ error: message }, error instanceof StoreError ? 503 : 500);
  });
  app.use(async (c, next) => {
    await next();
    const by = c.get('caller')?.principal.name;
    logger.debug({ method: c.req.method, path: c.req.path, status: c.res.status, by }, 'request');
  });
  app.get('/v1/health', async (c) => {
    await store.get(guardKey('vsis'));
    return c.json({ status: 'ok' });
  });
  app.use(bearer(identify));
}

/** Tells the watches that are open that the administrator has accepted the database. */
class Accepting {
  #now = new AbortController();

  get signal(): AbortSignal {
    return this.#now.signal;
  }

  accept(): void {
    this.#now.abort();
    this.#now = new AbortController();
  }
}

function serveAcceptance(app: App, { store, logger }: AppParts, accepting: Accepting): void {
  app.openAPIRegistry.registerPath({
    method: 'post',
    path: '/v1/accept',
    description:
      'The administrator says that the database is right as it is: bridges let go of what they keep in force since it came back from a copy, empty, or as another one.',
    responses: {
      403: refusals[403],
      200: { description: 'the revision at which it was accepted', content: jsonOf('Accepted') },
    },
  });
  app.post('/v1/accept', async (c) => {
    authorize(c, { verb: 'change', what: 'which database counts' });
    const outcome = await store.transact(
      [],
      [{ key: acceptedKey, value: JSON.stringify({ at: Date.now() }) }],
    );
    if (!outcome.committed) throw new Error('a write without conditions is made');
    logger.warn({ revision: outcome.revision }, 'the administrator has accepted the database');
    accepting.accept();
    return answer(c, JSON.stringify({ revision: outcome.revision }), outcome.revision);
  });
}

function serveReads(
  app: App,
  { store, closing, patienceMs }: AppParts,
  accepting: Accepting,
  { name, key, path, schema, parameters }: Documented,
) {
  app.openAPIRegistry.registerPath({
    method: 'get',
    path: `/v1/${name}`,
    description:
      'Lists the collection; with `watch`, streams every change after that cursor (or revision) instead. With `known`, the list says whether the database went through that cursor (`continues`): if it did not, it is another one, or an older copy.',
    parameters: [
      { name: 'watch', in: 'query', schema: { type: 'string' } },
      { name: 'known', in: 'query', schema: { type: 'string' } },
    ],
    responses: {
      200: {
        description: 'the list, or events "put", "delete" and "compacted"',
        content: { ...jsonOf(`${schema}List`), 'text/event-stream': { schema: { type: 'string' } } },
      },
      400: refusals[400],
    },
  });
  app.get(`/v1/${name}`, async (c) => {
    const from = watchedFrom(c);
    if (from !== undefined)
      return watchStream(c, store, name, from, { closing, accepted: accepting.signal, patienceMs });
    const known = knownTo(c);
    const { accepted } = await acceptance(store);
    const { revision, entries } = await store.list(collectionPrefix(name));
    const { lineage } = store;
    const unreadable = store.unreadable(collectionPrefix(name)).map((key) => keyOfObject(name, key));
    const head = JSON.stringify({
      revision,
      cursor: cursorAt(lineage, revision),
      ...(known && { continues: known.cursor !== null && passedThrough(lineage, known.cursor, revision) }),
      accepted,
      ...(unreadable.length && { unreadable }),
    });
    const items = entries.map(({ modified, value }) => `{"revision":${modified},"value":${value}}`);
    return c.body(`${head.slice(0, -1)},"items":[${items.join(',')}]}`, 200, json);
  });

  app.openAPIRegistry.registerPath({
    method: 'get',
    path,
    parameters,
    responses: {
      200: { description: 'the object; ETag is its revision', content: jsonOf(schema) },
      400: refusals[400],
      404: refusals[404],
    },
  });
  app.get(routeOf(path), async (c) => {
    const asked = keyOf(c, name, key);
    const entry = await store.get(objectKey(name, asked));
    if (!entry) throw notFound(name, asked);
    return answer(c, entry.value, entry.modified);
  });
}

function serveWrites(
  app: App,
  { store }: AppParts,
  { key, path, schema, parameters }: Documented,
  name: WritableName,
): void {
  app.openAPIRegistry.registerPath({
    method: 'put',
    path,
    description: 'Creates or replaces the object. With `If-None-Match: *` it only creates.',
    parameters: [...parameters, ifMatch],
    request: { body: { required: true, content: jsonOf(name === 'vsis' ? 'VsiSpec' : schema) } },
    responses: {
      200: { description: 'replaced', content: jsonOf(schema) },
      201: { description: 'created', content: jsonOf(schema) },
      400: refusals[400],
      403: refusals[403],
      409: refusals[409],
      412: refusals[412],
    },
  });
  app.put(routeOf(path), async (c) => {
    const asked = keyOf(c, name, key);
    authorize(c, deedOn(name, asked));
    const read = name === 'bridges' ? reportOf : bodyOf; // which an agent writes
    const value = await read<Writes[WritableName]>(c, writeSchemas[name]);
    const own = collections[name].keyOf(value as never);
    if (own !== asked) throw new Refusal(400, `the body is of ${own}, and the address is ${asked}'s`);
    const { created, ...written } = await putObject(store, name, value, preconditionOf(c));
    return answer(c, written.value, written.revision, created ? 201 : 200);
  });

  app.openAPIRegistry.registerPath({
    method: 'delete',
    path,
    parameters: [...parameters, ifMatch],
    responses: {
      204: { description: 'deleted' },
      400: refusals[400],
      403: refusals[403],
      404: refusals[404],
      409: refusals[409],
      412: refusals[412],
    },
  });
  app.delete(routeOf(path), async (c) => {
    const asked = keyOf(c, name, key);
    authorize(c, deedOn(name, asked));
    await deleteObject(store, name, asked, preconditionOf(c));
    return c.body(null, 204);
  });
}

/** What a bridge is, it says itself; all else is the administrator's. */
function deedOn(name: WritableName, key: string): Deed {
  return name === 'bridges'
    ? { verb: 'speak for', kind: 'bridge', name: key }
    : { verb: 'change', what: name };
}

function serveStatus(app: App, { store }: AppParts): void {
  const { key, path, parameters } = documented.find(({ name }) => name === 'vsis')!;
  app.openAPIRegistry.registerPath({
    method: 'put',
    path: `${path}/status`,
    description: 'A bridge says where the VSI is; association "none" says that it has left that port.',
    parameters,
    request: { body: { required: true, content: jsonOf('VsiStatus') } },
    responses: {
      200: { description: 'the VSI, with what is now known', content: jsonOf('Vsi') },
      400: refusals[400],
      403: refusals[403],
      404: refusals[404],
    },
  });
  app.put(`${routeOf(path)}/status`, async (c) => {
    const vsiId = parseVsiId(keyOf(c, 'vsis', key));
    const status = await reportOf(c, vsiStatusSchema);
    authorize(c, { verb: 'speak for', kind: 'bridge', name: status.bridge });
    const { at } = judged(status.at, now(), clockOf(c));
    const { value, revision } = await putStatus(store, vsiId, { ...status, at });
    return answer(c, value, revision);
  });
}

function serveReports(app: App, { store, keepMigrations, logger }: AppParts): void {
  app.openAPIRegistry.registerPath({
    method: 'post',
    path: '/v1/migrations/reports',
    description: 'An agent tells one moment of a migration; the manager finds the migration or opens one.',
    request: { body: { required: true, content: jsonOf('MigrationReport') } },
    responses: {
      200: { description: 'the migration that it belongs to', content: jsonOf('Migration') },
      201: { description: 'the migration that it opened', content: jsonOf('Migration') },
      400: refusals[400],
      403: refusals[403],
      404: refusals[404],
      409: refusals[409],
    },
  });
  app.post('/v1/migrations/reports', async (c) => {
    const told = await reportOf(c, migrationReportSchema);
    authorize(c, { verb: 'speak for', kind: 'agent', name: told.by });
    const { at, offset } = judged(told.at, now(), clockOf(c));
    const report = { ...told, at };
    const { migration, value, revision, opened } = await takeReport(store, keepMigrations(), {
      report,
      offset,
    });
    logger.info(
      { migration: migration.id, vsiId: report.vsiId, moment: report.moment, by: report.by },
      'migration',
    );
    if (offset !== null)
      logger.warn(
        { by: report.by, offset },
        "an agent's clock does not agree with the manager's (offset in µs)",
      );
    return answer(c, value, revision, opened ? 201 : 200);
  });
}

function now(): Timestamp {
  return Date.now() * 1000;
}

const json = { 'content-type': 'application/json' };

function answer(c: Context, value: string, revision: Revision, status: 200 | 201 = 200): Response {
  return c.body(value, status, { ...json, etag: `"${revision}"` });
}

/** "/v1/vsis/{vsiId}" as the router has it: "/v1/vsis/:vsiId". */
function routeOf(path: string): string {
  return path.replaceAll(/\{(\w+)\}/g, ':$1');
}
