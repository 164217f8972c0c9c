import type { RequestListener } from 'node:http';
import type { Socket } from 'node:net';
import { hostname } from 'node:os';
import { isDeepStrictEqual } from 'node:util';
import { getRequestListener } from '@hono/node-server';
import type { Logger } from 'pino';
import { readStationKeys } from '../forms/key-file.ts';
import { createApp } from './http/app.ts';
import { identifier } from './access/tokens.ts';
import { namesOf, type ManagerConfig } from './config.ts';
import type { Listen } from './listen.ts';
import { Connections } from './http/connections.ts';
import { openDatabase } from './database.ts';
import { gate, tcpQuotas } from './http/gate.ts';
import { listen, type Listener } from './http/listener.ts';
import { ManagerError } from './manager-error.ts';
import { quarantined } from './objects/quarantine.ts';

export interface Manager {
  /** as clients take them, in the order of the configuration */
  readonly addresses: readonly string[];
  /**
   * Puts another configuration in force: all but the database's keys. Connections that are there go on.
   * @throws ManagerError, and nothing was changed
   */
  reload(config: ManagerConfig): Promise<void>;
  /** Ends the watches, answers what is on its way, and lets go of addresses and database. */
  close(): Promise<void>;
}

export interface StartOptions {
  /** make a new, empty database where there was one that is gone */
  readonly anew?: boolean;
}

/** @throws Invalid, ManagerError, with nothing left open or behind, when the database or an address cannot be had */
export async function startManager(
  config: ManagerConfig,
  logger: Logger,
  { anew = false }: StartOptions = {},
): Promise<Manager> {
  if (config.stationKeys !== undefined) readStationKeys(config.stationKeys); // what is wrong with it is told now
  const { store: opened, keep, discard } = openDatabase(config, anew, logger);
  const closing = new AbortController();
  let listeners: readonly Bound[] = [];
  let inForce = config;
  let identify = identifier(config);
  let names = namesOf(config, hostname());

  async function close(): Promise<void> {
    closing.abort();
    await Promise.all(listeners.map(({ listener }) => listener.close()));
    await opened.close();
  }

  try {
    const store = await quarantined(opened, (line) => logger.error(line));
    const connections = new Connections<Socket>(tcpQuotas(), (socket) => socket.destroy());
    const app = createApp({
      store,
      logger,
      identify: (authorization) => identify(authorization),
      keepMigrations: () => inForce.keepMigrations,
      stationKeys: () => inForce.stationKeys,
      closing: closing.signal,
    });
    const answer = getRequestListener(app.fetch, { overrideGlobalObjects: false });
    const local: RequestListener = (request, response) => void answer(request, response);
    const remote = gate(
      { connections, identify: (authorization) => identify(authorization), names: () => names },
      local,
    );
    const bind = async (where: Listen): Promise<Bound> => ({
      where,
      listener: await listen(where, where.kind === 'unix' ? local : remote, connections),
    });
    for (const where of config.listen) listeners = [...listeners, await bind(where)];
    keep();
    const addresses = () => listeners.map(({ listener }) => listener.address);
    logger.info({ addresses: addresses(), database: config.database }, 'manager listens');
    return {
      get addresses() {
        return addresses();
      },
      async reload(next) {
        for (const key of ['database', 'history'] as const)
          if (next[key] !== inForce[key])
            throw new ManagerError(`${key}: has changed, for which a restart would be right`);
        if (next.stationKeys !== undefined) readStationKeys(next.stationKeys);
        const kept = listeners.filter(({ where }) => has(next.listen, where));
        const added: Bound[] = [];
        try {
          for (const where of next.listen) if (!has(inForce.listen, where)) added.push(await bind(where));
        } catch (error) {
          await Promise.all(added.map(({ listener }) => listener.close()));
          throw error;
        }
        const gone = listeners.filter((each) => !kept.includes(each));
        listeners = [...kept, ...added];
        inForce = next;
        identify = identifier(next);
        names = namesOf(next, hostname());
        await Promise.all(gone.map(({ listener }) => listener.close()));
      },
      close,
    };
  } catch (error) {
    await close();
    discard();
    throw error;
  }
}

interface Bound {
  readonly where: Listen;
  readonly listener: Listener;
}

function has(list: readonly Listen[], where: Listen): boolean {
  return list.some((each) => isDeepStrictEqual(each, where));
}
