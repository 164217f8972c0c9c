import type { Context } from 'hono';
import { streamSSE, type SSEStreamingApi } from 'hono/streaming';
import type { CollectionName } from '../api/collections.ts';
import { Compacted, type Change, type Revision, type Store } from '../store/store.ts';
import { collectionPrefix, keyOfObject } from './keys.ts';

export const heartbeatMs = 10_000;

/**
 * Every change of a collection after `from` as server-sent events: "put" {kind, key, revision, value} and "delete"
 * {kind, key, revision}, each transaction's last with its revision as id, and a comment every ten seconds. "compacted"
 * ends the stream: the client lists again. A client that reads slowly holds up nobody, for it is the store that waits.
 */
export function watchStream(
  c: Context,
  store: Store,
  name: CollectionName,
  from: Revision,
  closing: AbortSignal,
): Response {
  const response = streamSSE(c, async (stream) => {
    const gone = new AbortController();
    stream.onAbort(() => gone.abort());
    const signal = AbortSignal.any([gone.signal, closing]);
    const stopBeating = beat(stream);
    try {
      await stream.write(': watching\n\n');
      for await (const change of store.watch(collectionPrefix(name), from, signal))
        await sendChange(stream, name, change);
    } catch (error) {
      if (!(error instanceof Compacted)) throw error;
      await stream.writeSSE({ event: 'compacted', data: JSON.stringify({ error: error.message }) });
    } finally {
      stopBeating();
    }
  });
  // So that a client that connects again never reuses the connection of a manager that is closing.
  response.headers.set('connection', 'close');
  return response;
}

async function sendChange(stream: SSEStreamingApi, name: CollectionName, { revision, keys }: Change) {
  for (const [i, { key, entry }] of keys.entries()) {
    const kind = entry ? 'put' : 'delete';
    const head = JSON.stringify({ kind, key: keyOfObject(name, key), revision });
    await stream.writeSSE({
      event: kind,
      data: entry ? `${head.slice(0, -1)},"value":${entry.value}}` : head,
      ...(i === keys.length - 1 && { id: String(revision) }),
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
