import { readFileSync } from 'node:fs';
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Identify } from '../access/tokens.ts';
import type { Connections, Quotas } from './connections.ts';
import { foreign } from './origin.ts';

export interface GateParts {
  readonly connections: Connections<Socket>;
  readonly identify: Identify;
  /** names that the manager is reached under */
  readonly names: () => ReadonlySet<string>;
}

/** Octets of answers that wait for the readers at one address: beyond, it gets no further ones. */
const mostWaiting = 64 * 1024 * 1024;

/** What comes in over TCP passes here first: whoever may open connections can also be a web page, or a flood. */
export function gate({ connections, identify, names }: GateParts, serve: RequestListener): RequestListener {
  return (request, response) => {
    const { shows } = identify(request.headers.authorization);
    const fault = foreign(request.headers, names(), shows === 'token');
    if (fault !== null) {
      refuse(response, 403, fault);
      return;
    }
    const crowd = shows === 'nothing' ? null : crowdAt(request, connections);
    if (crowd === null) serve(request, response);
    else refuse(response, 503, crowd);
  };
}

function crowdAt({ socket }: IncomingMessage, connections: Connections<Socket>): string | null {
  if (!connections.proves(socket))
    return 'your address has as many connections as one may have; fewer of them would be right';
  let waiting = 0;
  for (const each of connections.besides(socket)) waiting += each.writableLength;
  return waiting > mostWaiting
    ? 'your address has too many answers that it does not read; reading those first would be right'
    : null;
}

function refuse(response: ServerResponse, status: 403 | 503, error: string): void {
  response.writeHead(status, { 'content-type': 'application/json', connection: 'close' });
  response.end(JSON.stringify({ error }));
}

/** What is left to files, and to the connections of unix sockets. */
const reserve = 2048;
const most = 8192;

/** What connections over TCP may take of the files that the process may open. */
export function tcpQuotas(limits = limitsOfProcess()): Quotas {
  const [, files] = /^Max open files\s+(\d+)/m.exec(limits) ?? [];
  const mayOpen = files === undefined ? most + reserve : Number(files);
  const total = Math.min(most, Math.max(mayOpen - reserve, Math.floor(mayOpen / 2)));
  return { total, unproven: Math.floor(total / 2), proven: Math.floor(total / 4) };
}

function limitsOfProcess(): string {
  try {
    return readFileSync('/proc/self/limits', 'utf8');
  } catch {
    return '';
  }
}
