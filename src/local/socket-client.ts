import { request, type IncomingMessage } from 'node:http';
import { Invalid } from '../base/invalid.ts';
import { readBody } from './body.ts';
import { LocalSocketError, socketFault } from './socket-path.ts';

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
    reply = JSON.parse(await readBody(incoming)) as { error?: string };
  } catch (error) {
    throw new LocalSocketError((error as Error).message);
  }
  if (incoming.statusCode === 200) return reply;
  if (incoming.statusCode === 400) throw new Invalid(reply.error ?? 'the request does not fit');
  throw new LocalSocketError(reply.error ?? `${path}: HTTP ${incoming.statusCode}`);
}
