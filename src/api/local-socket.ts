import { lstatSync, rmSync } from 'node:fs';
import { createServer, request, type IncomingMessage, type Server } from 'node:http';
import { connect } from 'node:net';
import { Invalid } from '../domain/invalid.ts';

/** A local socket could not be had, or who serves it said no. */
export class LocalSocketError extends Error {
  override name = 'LocalSocketError';
}

/** What a local socket offers: POST /NAME with a JSON body. An Invalid that it throws is the caller's fault. */
export type LocalCalls = Readonly<Record<string, (body: unknown) => Promise<unknown>>>;

/** What a caller may send; an answer is as long as it is. */
const bodyLimit = 65_536;

/**
 * Serves calls over HTTP on a unix socket that only the own user may use, so that a toolstack's hook can use it with
 * nothing but curl: `curl --unix-socket PATH http://localhost/NAME -d '{…}'`.
 * @throws LocalSocketError if somebody serves it already, or the path cannot be written
 */
export async function serveLocal(path: string, calls: LocalCalls): Promise<{ close(): void }> {
  const server = createServer((incoming, outgoing) => {
    answer(incoming, calls).then(
      ({ status, body }) => {
        outgoing.writeHead(status, { 'content-type': 'application/json' });
        outgoing.end(`${JSON.stringify(body)}\n`);
      },
      () => outgoing.destroy(),
    );
  });
  await listen(server, path);
  return {
    // answers that are on their way get there
    close() {
      server.close();
      server.closeIdleConnections();
    },
  };
}

async function answer(incoming: IncomingMessage, calls: LocalCalls) {
  const name = incoming.url?.slice(1) ?? '';
  const call = Object.hasOwn(calls, name) ? calls[name] : undefined;
  if (incoming.method !== 'POST' || !call)
    return { status: 404, body: { error: `POST to one of ${Object.keys(calls).join(', ')}` } };
  try {
    return { status: 200, body: (await call(JSON.parse((await read(incoming, bodyLimit)) || '{}'))) ?? {} };
  } catch (error) {
    const fault = error instanceof Invalid || error instanceof SyntaxError;
    return { status: fault ? 400 : 500, body: { error: (error as Error).message } };
  }
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
export function callLocal(path: string, name: string, body: object = {}): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const fail = (message: string) => reject(new LocalSocketError(message));
    const outgoing = request({ socketPath: path, path: `/${name}`, method: 'POST' }, (incoming) => {
      read(incoming).then(
        (text) => {
          const reply = JSON.parse(text) as { error?: string };
          if (incoming.statusCode === 200) resolve(reply);
          else if (incoming.statusCode === 400)
            reject(new Invalid(reply.error ?? 'the request does not fit'));
          else fail(reply.error ?? `${path}: HTTP ${incoming.statusCode}`);
        },
        (error: Error) => fail(error.message),
      );
    });
    outgoing.on('error', (error: NodeJS.ErrnoException) =>
      fail(
        error.code === 'ENOENT' || error.code === 'ECONNREFUSED'
          ? `${path}: nobody serves it`
          : `${path}: ${error.message}`,
      ),
    );
    outgoing.end(JSON.stringify(body));
  });
}
