import type { Context } from 'hono';
import type { z } from 'zod';
import { collections, type CollectionName } from '../api/collections.ts';
import { problemsOf } from '../api/explain.ts';
import { Invalid } from '../domain/invalid.ts';
import type { Revision } from '../store/store.ts';
import type { Precondition } from './objects.ts';
import { Refusal } from './refusal.ts';

/** The body by its schema. @throws Refusal: 415 unless it is JSON, 413, 400 for what is wrong first */
export async function bodyOf<T>(c: Context, schema: z.ZodType<T>): Promise<T> {
  const type = c.req.header('content-type');
  if (!/^application\/json\s*(;|$)/i.test(type ?? ''))
    throw new Refusal(415, `the body is ${type ?? 'of no type'}; application/json would be right`);
  const json = jsonOf(await textOf(c.req.raw));
  const parsed = schema.safeParse(json);
  if (parsed.success) return parsed.data;
  const [problem] = problemsOf(parsed.error, json);
  throw new Refusal(400, problem!.error, problem!.field);
}

const mostOctets = 4 * 1024 * 1024;

/** What is too long is read to its end, though not kept: a client that still sends would not see the answer. */
async function textOf({ body }: Request): Promise<string> {
  const chunks: Uint8Array[] = [];
  let octets = 0;
  for await (const chunk of body ?? []) {
    octets += chunk.length;
    if (octets <= mostOctets) chunks.push(chunk);
  }
  if (octets > mostOctets)
    throw new Refusal(413, `the body is too long; up to ${mostOctets} octets would be right`);
  return Buffer.concat(chunks).toString('utf8');
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new Refusal(400, `the body is not JSON: ${(error as Error).message.split('\n')[0]}`);
  }
}

/** The object's key, of the path's parameters. @throws Refusal 400 */
export function keyOf(c: Context, name: CollectionName, parameters: readonly string[]): string {
  try {
    return collections[name].parseKey(parameters.map((each) => c.req.param(each)).join('/'));
  } catch (error) {
    throw error instanceof Invalid ? new Refusal(400, error.message) : error;
  }
}

/** What If-Match or If-None-Match says. @throws Refusal 400 */
export function preconditionOf(c: Context): Precondition {
  const match = c.req.header('if-match');
  const noneMatch = c.req.header('if-none-match');
  if (match !== undefined && noneMatch !== undefined)
    throw new Refusal(400, 'If-Match and If-None-Match contradict each other; one of them would be right');
  if (noneMatch !== undefined) {
    if (noneMatch !== '*') throw new Refusal(400, `If-None-Match is ${noneMatch}; * would be right`);
    return 'none';
  }
  if (match === undefined) return undefined;
  if (match === '*') return 'exists';
  const revision = /^"(\d{1,15})"$/.exec(match)?.[1];
  if (revision === undefined)
    throw new Refusal(400, `If-Match is ${match}; an ETag like "17" would be right`);
  return { revision: Number(revision) };
}

/** The revision to watch from; undefined where a listing is asked for. @throws Refusal 400 */
export function watchedFrom(c: Context): Revision | undefined {
  const asked = c.req.query('watch');
  if (asked === undefined) return undefined;
  const text = c.req.header('last-event-id') ?? asked; // set by a browser that connects again
  if (!/^\d{1,15}$/.test(text))
    throw new Refusal(400, `is "${text}"; a revision like 17 would be right`, 'watch');
  return Number(text);
}
