import { existsSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { getRequestListener } from '@hono/node-server';
import type { Logger } from 'pino';
import { readStationKeys } from '../api/key-file.ts';
import { openSqlite } from '../store/sqlite.ts';
import { StoreError } from '../store/store.ts';
import { createApp } from './app.ts';
import type { ManagerConfig } from './config.ts';
import { listen, type Listener } from './listener.ts';
import { ManagerError } from './manager-error.ts';

export interface Manager {
  /** as clients take them, in the order of the configuration */
  readonly addresses: readonly string[];
  /** Ends the watches, answers what is on its way, and lets go of addresses and database. */
  close(): Promise<void>;
}

/** @throws Invalid, ManagerError, with nothing left open or behind, when the database or an address cannot be had */
export async function startManager(config: ManagerConfig, logger: Logger): Promise<Manager> {
  if (config.stationKeys !== undefined) readStationKeys(config.stationKeys); // what is wrong with it is told now
  const isNew = !existsSync(config.database);
  const store = open(config);
  const closing = new AbortController();
  const { token, keepMigrations, stationKeys } = config;
  const app = createApp({ store, logger, token, keepMigrations, stationKeys, closing: closing.signal });
  const serve = getRequestListener(app.fetch, { overrideGlobalObjects: false });
  const listeners: Listener[] = [];

  async function close(): Promise<void> {
    closing.abort();
    await Promise.all(listeners.splice(0).map((listener) => listener.close()));
    await store.close();
  }

  try {
    for (const where of config.listen)
      listeners.push(await listen(where, (request, response) => void serve(request, response)));
  } catch (error) {
    await close();
    if (isNew) rmSync(config.database, { force: true }); // it is empty, and nobody's
    throw error;
  }
  const addresses = listeners.map(({ address }) => address);
  logger.info({ addresses, database: config.database }, 'manager listens');
  return { addresses, close };
}

function open({ database, history }: ManagerConfig) {
  const directory = dirname(database);
  if (!existsSync(directory))
    throw new ManagerError(
      `database: ${database}: there is no directory ${directory}; one that exists would be right`,
    );
  try {
    return openSqlite(database, { history });
  } catch (error) {
    throw error instanceof StoreError ? new ManagerError(`database: ${error.message}`) : error;
  }
}
