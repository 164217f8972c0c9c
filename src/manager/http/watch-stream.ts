import type { Context } from 'hono';
import { streamSSE, type SSEStreamingApi } from 'hono/streaming';
import type { CollectionName } from '../../api/collections.ts';
import { cursorHeader } from '../../api/cursor.ts';
import { cursorAt } from '../../store/lineage.ts';
import { Compacted, type Change, type Store } from '../../store/store.ts';
import { hasMissed, type From } from './continuity.ts';
import { collectionPrefix, keyOfObject } from '../objects/keys.ts';

export const heartbeatMs = 10_000;
/** How long a client may take to read one change. */
const defaultPatienceMs = 30_000;

export interface WatchEnds {
  /** the manager closes */
  readonly closing: AbortSignal;
  /** the administrator has accepted the database: all list again */
  readonly accepted: AbortSignal;
  readonly patienceMs?: number | undefined;
}

/**
 * Every change of a collection after `from` as server-sent events: "put" {kind, key, revision, value} and "delete"
 * {kind, key, revision}, each transaction's last with its cursor as id, and a comment every ten seconds. "compacted"
 * ends the stream: the client lists again. A client that reads slowly holds up nobody, for it is the store that waits;
 * "slow" ends the stream of one that does not read at all, and it may go on from what it saw last.
 */
export function watchStream(
  c: Context,
  store: Store,
  name: CollectionName,
  from: From,
  { closing, accepted, patienceMs = defaultPatienceMs }: WatchEnds,
): Response {
  const response = streamSSE(c, async (stream) => {
    const gone = new AbortController();
    stream.onAbort(() => gone.abort());
    const slow = new AbortController();
    const isSlow = new Promise<void>((resolve) => {
      slow.signal.addEventListener('abort', () => resolve());
    });
    const signal = AbortSignal.any([gone.signal, closing, accepted, slow.signal]);
    const stopBeating = beat(stream);
    const end = (event: string, error: string) =>
      stream.write(`event: ${event}\ndata: ${JSON.stringify({ error })}\n\n`);
    try {
      await stream.write(': watching\n\n');
      if (await hasMissed(store, from)) throw new Compacted('this database did not go through that revision');
      for await (const change of store.watch(collectionPrefix(name), from.revision, signal)) {
        const patience = setTimeout(() => slow.abort(), patienceMs);
        const sent = sendChange(stream, store, name, change);
        await Promise.race([sent, isSlow]);
        clearTimeout(patience);
        if (slow.signal.aborted) sent.catch(() => {});
      }
      if (slow.signal.aborted)
        // it comes after what waits there, should the client read that yet
        void end('slow', `nothing was read for ${patienceMs / 1000} s`);
      else if (accepted.aborted) await end('compacted', 'the administrator has accepted the database');
    } catch (error) {
      if (!(error instanceof Compacted)) throw error;
      await end('compacted', error.message);
    } finally {
      stopBeating();
    }
  });
  // So that a client that connects again never reuses the connection of a manager that is closing.
  response.headers.set('connection', 'close');
  response.headers.set(cursorHeader, cursorAt(store.lineage, from.revision));
  return response;
}

async function sendChange(
  stream: SSEStreamingApi,
  { lineage }: Store,
  name: CollectionName,
  { revision, keys }: Change,
) {
  for (const [i, { key, entry }] of keys.entries()) {
    const kind = entry ? 'put' : 'delete';
    const head = JSON.stringify({ kind, key: keyOfObject(name, key), revision });
    await stream.writeSSE({
      event: kind,
      data: entry ? `${head.slice(0, -1)},"value":${entry.value}}` : head,
      ...(i === keys.length - 1 && { id: cursorAt(lineage, revision) }),
    });
  }
}

/** Lets the client tell a quiet manager from a dead one. Never more than one heartbeat waits for a slow reader. */
function beat(stream: SSEStreamingApi): () => void {
  let waiting = false;
  const timer = setInterval(() => {
    if (waiting) return;
    waiting = true;
    void stream.write(':\n\n').then(() => {
      waiting = false;
    });
  }, heartbeatMs);
  return () => clearInterval(timer);
}
