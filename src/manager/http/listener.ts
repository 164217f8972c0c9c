import { once } from 'node:events';
import { lstatSync, unlinkSync } from 'node:fs';
import { createServer, type RequestListener, type Server } from 'node:http';
import { connect, type Socket } from 'node:net';
import { socketFault } from '../../local/socket-path.ts';
import { hostAndPort, type Listen } from '../listen.ts';
import { addressKey, type Connections } from './connections.ts';
import { ManagerError } from '../manager-error.ts';

export interface Listener {
  /** as clients take it: "http://127.0.0.1:7470", "unix:/run/hairpin.sock" */
  readonly address: string;
  /** Takes no more requests, lets those on their way finish, and then closes every connection. */
  close(): Promise<void>;
}

const mostLocalConnections = 1024;
const graceMs = 2000;

/** In ms: how long who connects may take over the head of a request, over all of it, and over reading what is sent. */
const patience = { headersTimeout: 5_000, requestTimeout: 30_000, connectionsCheckingInterval: 1_000 };
const readsWithin = 60_000;

/**
 * @param connections the quotas of who connects over TCP; on a unix socket are friends, with a number of their own
 * @throws ManagerError when the address is in use or may not be listened on
 */
export async function listen(
  where: Listen,
  serve: RequestListener,
  connections: Connections<Socket>,
): Promise<Listener> {
  const fault = where.kind === 'unix' && socketFault(where.path);
  if (fault) throw new ManagerError(`listen: ${where.path}: ${fault}`);
  const server = createServer(patience, serve);
  server.setTimeout(readsWithin);
  if (where.kind === 'unix') server.maxConnections = mostLocalConnections;
  else server.prependListener('connection', (socket: Socket) => admit(socket, connections));
  try {
    await bind(server, where);
  } catch (error) {
    throw new ManagerError(explain(where, error as NodeJS.ErrnoException));
  }
  return { address: addressOf(server, where), close: () => close(server) };
}

function admit(socket: Socket, connections: Connections<Socket>): void {
  if (!connections.opened(socket, addressKey(socket.remoteAddress))) {
    socket.destroy();
    return;
  }
  socket.once('close', () => connections.closed(socket));
}

async function bind(server: Server, where: Listen): Promise<void> {
  try {
    await start(server, where);
  } catch (error) {
    const inUse = (error as NodeJS.ErrnoException).code === 'EADDRINUSE';
    if (!(inUse && where.kind === 'unix' && (await isLeftBehind(where.path)))) throw error;
    unlinkSync(where.path);
    await start(server, where);
  }
}

async function start(server: Server, where: Listen): Promise<void> {
  server.listen(where.kind === 'unix' ? { path: where.path } : { host: where.host, port: where.port });
  await once(server, 'listening');
}

/** A socket that nobody listens on: its manager was killed. */
async function isLeftBehind(path: string): Promise<boolean> {
  if (!lstatSync(path).isSocket()) return false;
  const socket = connect(path);
  try {
    await once(socket, 'connect');
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ECONNREFUSED';
  } finally {
    socket.destroy();
  }
}

function explain(where: Listen, { code, message }: NodeJS.ErrnoException): string {
  const name = where.kind === 'unix' ? where.path : hostAndPort(where.host, where.port);
  switch (code) {
    case 'EADDRINUSE':
      return `listen: ${name} is in use; stop what listens there, or another address would be right`;
    case 'EACCES':
    case 'EPERM':
      return `listen: ${name} is not ours to use; another address, or to run as root, would be right`;
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return `listen: ${name} is not an address of this machine; 127.0.0.1 or one that it has would be right`;
    default:
      return `listen: ${name}: ${message}`;
  }
}

function addressOf(server: Server, where: Listen): string {
  if (where.kind === 'unix') return `unix:${where.path}`;
  const bound = server.address();
  if (typeof bound !== 'object' || bound === null) throw new Error('a TCP server has an address');
  return `http://${hostAndPort(where.host, bound.port)}`;
}

async function close(server: Server): Promise<void> {
  const closed = once(server, 'close');
  server.close();
  server.on('request', (_, response) => response.setHeader('connection', 'close'));
  const force = setTimeout(() => server.closeAllConnections(), graceMs);
  await closed;
  clearTimeout(force);
}
