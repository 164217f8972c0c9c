import type { Context } from 'hono';
import type { z } from 'zod';
import { collections, type CollectionName } from '../../api/collections.ts';
import { problemsOf } from '../../forms/explain.ts';
import { Invalid } from '../../base/invalid.ts';
import { readTolerantly } from '../../forms/tolerant.ts';
import { clockHeader } from '../../client/http.ts';
import type { Timestamp } from '../../domain/migration.ts';
import { parseFrom, type From } from './continuity.ts';
import { depthOf, mostDepth } from './depth.ts';
import { OctetBudget } from './octet-budget.ts';
import type { Precondition } from '../objects/objects.ts';
import { Refusal } from '../objects/refusal.ts';

/** The body by its schema. @throws Refusal: 415 unless it is JSON, 413, 503, 400 for what is wrong first */
export async function bodyOf<T>(c: Context, schema: z.ZodType<T>): Promise<T> {
  const json = await jsonBodyOf(c);
  return orRefusal(schema.safeParse(json), json);
}

/** The same of an agent, which may be a later Hairpin's: what is not known of it is left out. @throws Refusal */
export async function reportOf<T>(c: Context, schema: z.ZodType<T>): Promise<T> {
  const json = await jsonBodyOf(c);
  return orRefusal(readTolerantly(schema, json), json);
}

function orRefusal<T>(parsed: z.ZodSafeParseResult<T>, json: unknown): T {
  if (parsed.success) return parsed.data;
  const [problem] = problemsOf(parsed.error, json);
  throw new Refusal(400, problem!.error, problem!.field);
}

async function jsonBodyOf(c: Context): Promise<unknown> {
  const type = c.req.header('content-type');
  if (!/^application\/json\s*(;|$)/i.test(type ?? ''))
    throw new Refusal(415, `the body is ${type ?? 'of no type'}; application/json would be right`);
  return jsonOf(await textOf(c.req.raw));
}

const mostOctets = 4 * 1024 * 1024;
/** of the bodies that are on their way, all together */
const bodies = new OctetBudget(64 * 1024 * 1024);

/** What is too long is read to its end, though not kept: a client that still sends would not see the answer. */
async function textOf({ body }: Request): Promise<string> {
  const chunks: Uint8Array[] = [];
  let octets = 0;
  let kept = 0;
  let isCrowded = false;
  try {
    for await (const chunk of body ?? []) {
      octets += chunk.length;
      if (octets > mostOctets || isCrowded) continue;
      isCrowded = !bodies.take(chunk.length);
      if (isCrowded) continue;
      kept += chunk.length;
      chunks.push(chunk);
    }
    if (octets > mostOctets)
      throw new Refusal(413, `the body is too long; up to ${mostOctets} octets would be right`);
    if (isCrowded) throw new Refusal(503, 'too much is being written at once; try again');
    return Buffer.concat(chunks).toString('utf8');
  } finally {
    bodies.give(kept);
  }
}

function jsonOf(text: string): unknown {
  const depth = depthOf(text);
  if (depth > mostDepth)
    throw new Refusal(400, `the body is nested ${depth} deep; at most ${mostDepth} would be right`);
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

/** Where to watch from; undefined where a listing is asked for. @throws Refusal 400 */
export function watchedFrom(c: Context): From | undefined {
  const asked = c.req.query('watch');
  if (asked === undefined) return undefined;
  const text = c.req.header('last-event-id') ?? asked; // set by a browser that connects again
  const from = parseFrom(text);
  if (!from) throw new Refusal(400, `is "${text}"; a revision like 17 would be right`, 'watch');
  return from;
}

/** What the client knows already, by its own word; undefined: it says nothing of that. @throws Refusal 400 */
export function knownTo(c: Context): From | undefined {
  const text = c.req.query('known');
  if (text === undefined) return undefined;
  const from = parseFrom(text);
  if (!from) throw new Refusal(400, `is "${text}"; the cursor of an earlier list would be right`, 'known');
  return from;
}

/** What the agent's own clock shows; null: it does not say. */
export function clockOf(c: Context): Timestamp | null {
  const text = c.req.header(clockHeader);
  return text !== undefined && /^\d{1,16}$/.test(text) ? Number(text) : null;
}
