import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { Invalid } from '../base/invalid.ts';
import type { Migration, MigrationReport } from '../domain/migration.ts';
import type { VsiId } from '../domain/vsi-id.ts';
import { ApiError } from './api-error.ts';
import { backoff } from '../base/backoff.ts';
import {
  collections,
  writeSchemas,
  type CollectionName,
  type Objects,
  type WritableName,
  type Writes,
} from '../api/collections.ts';
import { atRevision, cursorForm, cursorHeader, isCursor, type Cursor } from '../api/cursor.ts';
import { lineOf, problemsOf } from '../forms/explain.ts';
import { stationKeysOf, type StationKeys } from '../forms/station-keys.ts';
import { HttpTransport, type HttpAnswer, type HttpRequest } from './http.ts';
import { migrationReportSchema, migrationSchema } from '../api/migration.ts';
import { SseParser } from './sse.ts';
import { readTolerantly } from '../forms/tolerant.ts';
import { vsiStatusSchema } from '../api/vsi.ts';
import type { VsiStatus } from '../domain/vsi.ts';

/** The manager's count of changes; an object's is that of its last change. */
export type Revision = number;

export interface Stored<T> {
  readonly value: T;
  readonly revision: Revision;
}

export interface Listing<T> {
  readonly revision: Revision;
  readonly items: readonly Stored<T>[];
  /** where the list stands; null: this manager has no cursors */
  readonly cursor: Cursor | null;
  /** whether the database went through what the caller knew: else it is another one, or an older copy came back */
  readonly continues: boolean;
  /** when the administrator accepted the database as it is; 0: never */
  readonly accepted: Revision;
  /** keys of objects that the database has and nobody can read */
  readonly unreadable: readonly string[];
}

export type WatchEvent<Name extends CollectionName> =
  /** everything there is: it replaces what was known before */
  | ({ readonly kind: 'list' } & Listing<Objects[Name]>)
  | { readonly kind: 'put'; readonly key: string; readonly revision: Revision; readonly value: Objects[Name] }
  | { readonly kind: 'delete'; readonly key: string; readonly revision: Revision }
  /** changes arrive as they happen, until "disconnected", after which it tries again by itself */
  | { readonly kind: 'connected'; readonly cursor: Cursor | null }
  | { readonly kind: 'disconnected'; readonly error: string };

export interface ClientOptions {
  readonly token?: string | undefined;
  /** how long an answer may take; default 5,000 */
  readonly timeoutMs?: number;
  /** how long a watch may be silent; the manager sends a comment every 10 s. Default 30,000 */
  readonly silenceMs?: number;
  /** the waits between tries of a watch, in ms */
  readonly backoff?: () => Iterator<number, never>;
}

/** A client of the manager's API. Every method throws ApiError, one line, when it is refused or gets no answer. */
export class ApiClient {
  readonly #http: HttpTransport;
  readonly #options: ClientOptions;

  /** @throws ApiError unless `url` is "http://HOST:PORT" or "unix:/PATH" */
  constructor(url: string, options: ClientOptions = {}) {
    this.#http = new HttpTransport(url);
    this.#options = options;
  }

  /** @param known what the caller has a copy of: the list says whether it goes on from there */
  async list<Name extends CollectionName>(
    name: Name,
    known: Cursor | null = null,
    signal?: AbortSignal,
  ): Promise<Listing<Objects[Name]>> {
    const path = known === null ? `/v1/${name}` : `/v1/${name}?known=${known}`;
    const { body } = await this.#ask({ method: 'GET', path }, signal);
    const list = parse(listing(name), body);
    return {
      revision: list.revision,
      items: list.items,
      cursor: list.cursor ?? null,
      // a manager that knows of no cursors cannot tell
      continues: list.continues ?? known === null,
      accepted: list.accepted ?? 0,
      unreadable: list.unreadable ?? [],
    };
  }

  /** Null when there is none. */
  async get<Name extends CollectionName>(name: Name, key: string): Promise<Stored<Objects[Name]> | null> {
    try {
      return stored(name, await this.#ask({ method: 'GET', path: pathOf(name, key) }));
    } catch (error) {
      if (error instanceof ApiError && error.status === 404) return null;
      throw error;
    }
  }

  /** Creates or replaces; with `revision`, only if the object's is still that one ("none": only if there is none). */
  async put<Name extends WritableName>(
    name: Name,
    value: Writes[Name],
    revision?: Revision | 'none',
  ): Promise<Stored<Objects[Name]>> {
    const body = encode(writeSchemas[name], value);
    const path = pathOf(name, (collections[name].keyOf as (value: Writes[Name]) => string)(value));
    return stored(name, await this.#ask({ method: 'PUT', path, body, headers: condition(revision) }));
  }

  /** Deletes; with `revision`, only if the object's is still that one. */
  async delete(name: WritableName, key: string, revision?: Revision): Promise<void> {
    await this.#ask({ method: 'DELETE', path: pathOf(name, key), headers: condition(revision) });
  }

  /** A bridge says where a VSI is; association "none": that it has left there. */
  async putStatus(vsiId: VsiId, status: VsiStatus): Promise<void> {
    const body = encode(vsiStatusSchema, status);
    await this.#ask({ method: 'PUT', path: `${pathOf('vsis', vsiId)}/status`, body });
  }

  /** Tells a moment of a migration; resolves to the migration that it belongs to. */
  async report(report: MigrationReport): Promise<Migration> {
    const body = encode(migrationReportSchema, report);
    const answer = await this.#ask({ method: 'POST', path: '/v1/migrations/reports', body });
    return parse(migrationSchema, answer.body);
  }

  /** What stations sign their control frames with. */
  async stationKeys(): Promise<StationKeys> {
    const { body } = await this.#ask({ method: 'GET', path: '/v1/station-keys' });
    try {
      return stationKeysOf(jsonOf(body), "the manager's answer");
    } catch (error) {
      throw error instanceof Invalid ? new ApiError(error.message, 200) : error;
    }
  }

  /** The administrator says that the database is right as it is: bridges let go of what it lacks. */
  async accept(): Promise<Revision> {
    const { body } = await this.#ask({ method: 'POST', path: '/v1/accept' });
    return parse(z.object({ revision }), body).revision;
  }

  /**
   * Calls `listener` with every change after revision `from`, or with a listing and every change after that (null),
   * until `signal` is aborted; then it resolves. Connects again, for ever, and lists again where the manager no longer
   * knows what changed. Rejects only with what `listener` throws.
   * @param copy what the listener has a copy of already, from an earlier watch: the first list goes by it
   */
  async watch<Name extends CollectionName>(
    name: Name,
    from: Revision | null,
    listener: (event: WatchEvent<Name>) => void,
    signal: AbortSignal,
    copy: Cursor | null = null,
  ): Promise<void> {
    const newWaits = this.#options.backoff ?? (() => backoff(Math.random));
    let waits = newWaits();
    let seen: string | null = from === null ? null : String(from);
    let known = copy;
    let run: Cursor | null = null;
    while (!signal.aborted) {
      try {
        if (seen === null) {
          const list = await this.list(name, known, signal);
          if (signal.aborted) return;
          listener({ kind: 'list', ...list });
          seen = list.cursor ?? String(list.revision);
        }
        for await (const event of this.#changes(name, seen, signal)) {
          if (signal.aborted) return;
          if (event.kind === 'connected') {
            waits = newWaits();
            run = event.cursor;
          } else seen = run === null ? String(event.revision) : atRevision(run, event.revision);
          listener(event);
        }
      } catch (error) {
        if (signal.aborted) return;
        if (error instanceof Compacted) [known, seen] = [isCursor(seen) ? seen : known, null];
        else if (error instanceof ApiError) listener({ kind: 'disconnected', error: error.message });
        else throw error;
      }
      await sleep(waits.next().value, undefined, { signal }).catch(() => {});
    }
  }

  /** Lets go of the connections that are kept. */
  close(): void {
    this.#http.close();
  }

  /** One connection's worth of changes; ends only by ApiError or Compacted. */
  async *#changes<Name extends CollectionName>(
    name: Name,
    from: string,
    signal: AbortSignal,
  ): AsyncGenerator<Exclude<WatchEvent<Name>, { kind: 'list' | 'disconnected' }>, never> {
    const silence = new AbortController();
    const silenceMs = this.#options.silenceMs ?? 30_000;
    const timer = setTimeout(() => silence.abort(timedOut), silenceMs);
    const either = AbortSignal.any([signal, silence.signal]);
    const path = `/v1/${name}?watch=${from}`;
    try {
      const response = await this.#http.open({
        method: 'GET',
        path,
        headers: this.#headers(),
        signal: either,
      });
      if (response.statusCode !== 200) {
        response.destroy();
        throw new ApiError(
          `the manager refuses the watch with status ${response.statusCode}`,
          response.statusCode!,
        );
      }
      const cursor = response.headers[cursorHeader];
      yield { kind: 'connected', cursor: isCursor(cursor) ? cursor : null };
      const parser = new SseParser();
      response.setEncoding('utf8');
      for await (const text of response as AsyncIterable<string>) {
        timer.refresh();
        for (const { type, data } of parser.push(text)) {
          if (type === 'compacted') throw new Compacted();
          if (type === 'slow') throw new ApiError('the manager ended the watch, for it was not read', null);
          yield parse(changeSchema(name), data);
        }
      }
      throw new ApiError('the manager ended the watch', null);
    } catch (error) {
      if (error instanceof ApiError || error instanceof Compacted) throw error;
      const what = silence.signal.aborted ? `was silent for ${silenceMs / 1000} s` : 'broke the connection';
      throw new ApiError(`the manager ${what}`, null);
    } finally {
      clearTimeout(timer);
    }
  }

  async #ask(asked: Omit<HttpRequest, 'signal'>, signal?: AbortSignal): Promise<HttpAnswer> {
    const timeout = AbortSignal.timeout(this.#options.timeoutMs ?? 5000);
    const answer = await this.#http.send({
      ...asked,
      headers: { ...this.#headers(), ...asked.headers },
      signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
    });
    if (answer.status >= 300) throw refusal(answer);
    return answer;
  }

  #headers(): Record<string, string> {
    const { token } = this.#options;
    return token === undefined ? {} : { authorization: `Bearer ${token}` };
  }
}

class Compacted extends Error {}
const timedOut = new DOMException('silent for too long', 'TimeoutError');

function pathOf(name: CollectionName, key: string): string {
  return `/v1/${name}/${key.split('/').map(encodeURIComponent).join('/')}`;
}

function condition(revision: Revision | 'none' | undefined): Record<string, string> {
  if (revision === undefined) return {};
  return revision === 'none' ? { 'if-none-match': '*' } : { 'if-match': `"${revision}"` };
}

const revision = z.int().nonnegative();

function listing<Name extends CollectionName>(name: Name) {
  const value = collections[name].schema;
  return z.object({
    revision,
    items: z.array(z.object({ revision, value })),
    cursor: z.string().regex(cursorForm).optional(),
    continues: z.boolean().optional(),
    accepted: revision.optional(),
    unreadable: z.array(z.string()).optional(),
  }) as unknown as z.ZodType<
    Partial<Listing<Objects[Name]>> & Pick<Listing<Objects[Name]>, 'revision' | 'items'>
  >;
}

type ChangeEvent<Name extends CollectionName> = Extract<WatchEvent<Name>, { kind: 'put' | 'delete' }>;

function changeSchema<Name extends CollectionName>(name: Name) {
  const value = collections[name].schema;
  return z.discriminatedUnion('kind', [
    z.object({ kind: z.literal('put'), key: z.string(), revision, value }),
    z.object({ kind: z.literal('delete'), key: z.string(), revision }),
  ]) as unknown as z.ZodType<ChangeEvent<Name>>;
}

function stored<Name extends CollectionName>(name: Name, { etag, body }: HttpAnswer): Stored<Objects[Name]> {
  const revision = Number(/^"(\d+)"$/.exec(etag ?? '')?.[1]);
  if (Number.isNaN(revision))
    throw new ApiError("the manager's answer has no revision; is it a manager?", 200);
  return { value: parse(collections[name].schema, body), revision };
}

function encode<T>(schema: z.ZodType<T>, value: T): string {
  const encoded = z.safeEncode(schema, value);
  if (encoded.success) return JSON.stringify(encoded.data);
  const [problem] = problemsOf(encoded.error, value);
  throw new ApiError(lineOf(problem!), 400, problem!.field);
}

function jsonOf(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    throw new ApiError("the manager's answer is not JSON; is it a manager?", 200);
  }
}

function parse<T>(schema: z.ZodType<T>, body: string): T {
  const json = jsonOf(body);
  const parsed = readTolerantly(schema, json);
  if (parsed.success) return parsed.data;
  throw new ApiError(`the manager's answer: ${lineOf(problemsOf(parsed.error, json)[0]!)}`, 200);
}

const errorBody = z.object({ error: z.string(), field: z.string().optional() });

function refusal({ status, body }: HttpAnswer): ApiError {
  try {
    const { error, field } = errorBody.parse(JSON.parse(body));
    return new ApiError(error, status, field);
  } catch {
    return new ApiError(`the manager refuses with status ${status}`, status);
  }
}
