import type { IncomingMessage } from 'node:http';
import type { OpenAPIHono } from '@hono/zod-openapi';
import type { Context } from 'hono';
import { readStationKeys } from '../../forms/key-file.ts';
import { stationKeysJson } from '../../forms/station-keys.ts';
import { Invalid } from '../../base/invalid.ts';
import { authorize, type Access } from './tokens.ts';
import { Refusal } from '../objects/refusal.ts';

/**
 * `GET /v1/station-keys`: what stations sign with, for bridges. The file is read each time, so that a key that was changed
 * there is known to all bridges soon. Whoever needs no token gets no keys, but over a unix socket; a station gets none, for
 * one host could speak for another.
 * @param stationKeys the file; undefined: there are none
 */
export function serveStationKeys(
  app: OpenAPIHono<Access>,
  stationKeys: (() => string | undefined) | undefined,
): void {
  app.get('/v1/station-keys', (c) => {
    const file = stationKeys?.();
    const { shows } = authorize(c, { verb: 'read', what: 'station keys' });
    if (shows !== 'token' && !isLocal(c))
      throw new Refusal(
        403,
        'station keys are given over a unix socket, or to who shows a token; a manager with `token` would be right',
      );
    try {
      return c.json(file === undefined ? {} : stationKeysJson(readStationKeys(file)));
    } catch (error) {
      throw error instanceof Invalid ? new Refusal(503, error.message) : error;
    }
  });
}

/** A unix socket's peer has no address. */
function isLocal(c: Context): boolean {
  const { incoming } = (c.env ?? {}) as { readonly incoming?: IncomingMessage };
  return incoming !== undefined && incoming.socket.remoteAddress === undefined;
}
