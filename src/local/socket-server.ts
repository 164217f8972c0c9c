import { socketPathOctets } from '../base/socket-path.ts';
import { existsSync, lstatSync, rmSync } from 'node:fs';
import { once } from 'node:events';
import { createServer, request, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { connect } from 'node:net';
import { dirname } from 'node:path';
import { Invalid } from '../base/invalid.ts';

/** A local socket could not be had, or who serves it said no. */
export class LocalSocketError extends Error {
  override name = 'LocalSocketError';
  /** nobody serves it, so that to start somebody may help */
  readonly unserved: boolean;

  constructor(message: string, unserved = false) {
    super(message);
    this.unserved = unserved;
  }
}

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
    const body: unknown = JSON.parse((await read(incoming, bodyLimit)) || '{}');
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

async function read(stream: IncomingMessage, limit = Infinity): Promise<string> {
  let text = '';
  stream.setEncoding('utf8');
  for await (const chunk of stream) {
    text += String(chunk);
    if (text.length > limit) throw new Invalid(`a body has at most ${limit} characters`);
  }
  return text;
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

/** Why no socket can be made at the path, for which the system has but EACCES or EINVAL to say; null if it can. */
export function socketFault(path: string): string | null {
  const octets = Buffer.byteLength(path);
  if (octets > socketPathOctets)
    return `is ${octets} octets long; ${socketPathOctets} at most would be right`;
  const directory = dirname(path);
  return existsSync(directory) ? null : `there is no directory ${directory}; one that exists would be right`;
}

/** @throws LocalSocketError if a running process serves the socket */
export async function refuseIfServed(path: string): Promise<void> {
  if (await answers(path)) throw new LocalSocketError(`${path}: a running process serves it already`);
}

/** Whether somebody accepts connections on the socket. */
export function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
}

/** Calls what `serveLocal` serves. @throws Invalid or LocalSocketError with the server's own words, or if nobody serves it */
export async function callLocal(path: string, name: string, body: object = {}): Promise<unknown> {
  const incoming = await post(path, name, body);
  return replyOf(path, incoming);
}

/** The lines of a stream that `serveLocal` serves, until it ends or `gone`. @throws as `callLocal`, or if it breaks off */
export async function* followLocal(
  path: string,
  name: string,
  body: object,
  gone: AbortSignal,
): AsyncGenerator<unknown, void> {
  try {
    const incoming = await post(path, name, body, gone);
    if (incoming.statusCode !== 200) await replyOf(path, incoming);
    let pending = '';
    incoming.setEncoding('utf8');
    for await (const chunk of incoming as AsyncIterable<string>) {
      const lines = (pending + chunk).split('\n');
      pending = lines.pop()!;
      for (const line of lines) yield JSON.parse(line);
    }
  } catch (error) {
    if (gone.aborted) return;
    if (error instanceof Invalid || error instanceof LocalSocketError) throw error;
    throw new LocalSocketError(`${path}: the connection broke (${(error as Error).message})`);
  }
}

function post(path: string, name: string, body: object, signal?: AbortSignal): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const outgoing = request(
      { socketPath: path, path: `/${name}`, method: 'POST', agent: false, ...(signal && { signal }) },
      resolve,
    );
    outgoing.on('error', (error: NodeJS.ErrnoException) => reject(callError(path, error)));
    outgoing.end(JSON.stringify(body));
  });
}

function callError(path: string, { code, message }: NodeJS.ErrnoException): LocalSocketError {
  if (code === 'ENOENT' || code === 'ECONNREFUSED')
    return new LocalSocketError(`${path}: nobody serves it`, true);
  if (code === 'EACCES')
    return new LocalSocketError(`${path}: is not ours to use; to run as root would be right`);
  return new LocalSocketError(`${path}: ${socketFault(path) ?? message}`);
}

async function replyOf(path: string, incoming: IncomingMessage): Promise<unknown> {
  let reply: { error?: string };
  try {
    reply = JSON.parse(await read(incoming)) as { error?: string };
  } catch (error) {
    throw new LocalSocketError((error as Error).message);
  }
  if (incoming.statusCode === 200) return reply;
  if (incoming.statusCode === 400) throw new Invalid(reply.error ?? 'the request does not fit');
  throw new LocalSocketError(reply.error ?? `${path}: HTTP ${incoming.statusCode}`);
}
