import { lstatSync, rmSync } from 'node:fs';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { Invalid } from '../base/invalid.ts';
import { readBody } from './body.ts';
import { LocalSocketError, refuseIfServed, socketFault } from './socket-path.ts';

/** What a local socket offers: POST /NAME with a JSON body. An Invalid that it throws is the caller's fault. */
export type LocalCalls = Readonly<Record<string, (body: unknown) => Promise<unknown>>>;

/**
 * What it streams: each value is a line of JSON, until the stream ends or who reads it is `gone`. A reader that is slow is
 * waited for: what comes up meanwhile is the stream's to keep or to lose.
 */
export type LocalStreams = Readonly<
  Record<string, (body: unknown, gone: AbortSignal) => AsyncIterable<unknown>>
>;

/** What a caller may send; an answer is as long as it is. */
const bodyLimit = 65_536;

/**
 * Serves calls and streams over HTTP on a unix socket that only the own user may use, so that a toolstack's hook can use
 * it with nothing but curl: `curl --unix-socket PATH http://localhost/NAME -d '{…}'`.
 * @throws LocalSocketError if somebody serves it already, or the path cannot be written
 */
export async function serveLocal(
  path: string,
  calls: LocalCalls,
  streams: LocalStreams = {},
): Promise<{ close(): void }> {
  const closing = new AbortController();
  const streaming = new Set<ServerResponse>();
  const server = createServer((incoming, outgoing) => {
    answer(incoming, calls, streams, () => {
      streaming.add(outgoing);
      const gone = new AbortController();
      outgoing.once('close', () => {
        streaming.delete(outgoing);
        gone.abort();
      });
      return AbortSignal.any([closing.signal, gone.signal]);
    }).then(
      (reply) => {
        if ('stream' in reply) pour(reply.stream, outgoing, reply.gone).catch(() => outgoing.destroy());
        else {
          outgoing.writeHead(reply.status, { 'content-type': 'application/json' });
          outgoing.end(`${JSON.stringify(reply.body)}\n`);
        }
      },
      () => outgoing.destroy(),
    );
  });
  await listen(server, path);
  return {
    // answers that are on their way get there; streams end here and now, as the process may
    close() {
      server.close();
      closing.abort();
      for (const outgoing of streaming) outgoing.end();
      server.closeIdleConnections();
    },
  };
}

type Reply =
  | { readonly status: number; readonly body: unknown }
  | { readonly stream: AsyncIterable<unknown>; readonly gone: AbortSignal };

async function answer(
  incoming: IncomingMessage,
  calls: LocalCalls,
  streams: LocalStreams,
  gone: () => AbortSignal,
): Promise<Reply> {
  const name = incoming.url?.slice(1) ?? '';
  const call = Object.hasOwn(calls, name) ? calls[name] : undefined;
  const stream = Object.hasOwn(streams, name) ? streams[name] : undefined;
  if (incoming.method !== 'POST' || !(call ?? stream)) {
    const names = [...Object.keys(calls), ...Object.keys(streams)];
    return { status: 404, body: { error: `POST to one of ${names.join(', ')}` } };
  }
  try {
    const body: unknown = JSON.parse((await readBody(incoming, bodyLimit)) || '{}');
    if (call) return { status: 200, body: (await call(body)) ?? {} };
    const signal = gone();
    return { stream: stream!(body, signal), gone: signal };
  } catch (error) {
    const fault = error instanceof Invalid || error instanceof SyntaxError;
    return { status: fault ? 400 : 500, body: { error: (error as Error).message } };
  }
}

async function pour(values: AsyncIterable<unknown>, outgoing: ServerResponse, gone: AbortSignal) {
  outgoing.writeHead(200, { 'content-type': 'application/x-ndjson' });
  outgoing.flushHeaders();
  try {
    for await (const value of values) {
      if (gone.aborted) break;
      if (!outgoing.write(`${JSON.stringify(value)}\n`)) await once(outgoing, 'drain', { signal: gone });
    }
  } catch (error) {
    if (!gone.aborted) throw error;
  }
  outgoing.end();
}

async function listen(server: Server, path: string): Promise<void> {
  const fault = socketFault(path);
  if (fault) throw new LocalSocketError(`${path}: ${fault}`);
  await refuseIfServed(path);
  const there = lstatSync(path, { throwIfNoEntry: false });
  if (there && !there.isSocket()) throw new LocalSocketError(`${path}: is there already, and is no socket`);
  rmSync(path, { force: true }); // what a killed process left behind
  const mask = process.umask(0o177);
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', (error: NodeJS.ErrnoException) =>
        reject(new LocalSocketError(`${path}: cannot listen (${error.code})`)),
      );
      server.listen(path, resolve);
    });
  } finally {
    process.umask(mask);
  }
}
