import { once } from 'node:events';
import { lstatSync, unlinkSync } from 'node:fs';
import { createServer, type RequestListener, type Server } from 'node:http';
import { connect } from 'node:net';
import { socketFault } from '../api/local-socket.ts';
import { hostAndPort, type Listen } from './config.ts';
import { ManagerError } from './manager-error.ts';

export interface Listener {
  /** as clients take it: "http://127.0.0.1:7470", "unix:/run/hairpin.sock" */
  readonly address: string;
  /** Takes no more requests, lets those on their way finish, and then closes every connection. */
  close(): Promise<void>;
}

const mostConnections = 4096;
const graceMs = 2000;

/** @throws ManagerError when the address is in use or may not be listened on */
export async function listen(where: Listen, serve: RequestListener): Promise<Listener> {
  const fault = where.kind === 'unix' && socketFault(where.path);
  if (fault) throw new ManagerError(`listen: ${where.path}: ${fault}`);
  const server = createServer(serve);
  server.maxConnections = mostConnections;
  try {
    await bind(server, where);
  } catch (error) {
    throw new ManagerError(explain(where, error as NodeJS.ErrnoException));
  }
  return { address: addressOf(server, where), close: () => close(server) };
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
