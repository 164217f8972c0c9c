import { createHash, timingSafeEqual } from 'node:crypto';
import { createMiddleware } from 'hono/factory';
import { Refusal } from '../objects/refusal.ts';

/** What a request shows of who sends it: the token, all that is asked for where there is none, or nothing. */
export type Bearing = 'token' | 'enough' | 'nothing';

/** Digests are compared, so that neither length nor content of the token shows in the time. */
export function bearingOf(token: string | undefined): (authorization: string | undefined) => Bearing {
  if (token === undefined) return () => 'enough';
  const expected = digest(token);
  return (authorization) => {
    const shown = /^Bearer (.+)$/i.exec(authorization ?? '')?.[1];
    return shown !== undefined && timingSafeEqual(digest(shown), expected) ? 'token' : 'nothing';
  };
}

/** Lets pass who shows what is asked for. */
export function bearer(bearing: (authorization: string | undefined) => Bearing) {
  return createMiddleware(async (c, next) => {
    if (bearing(c.req.header('authorization')) === 'nothing') {
      c.header('WWW-Authenticate', 'Bearer');
      throw new Refusal(401, "the token is missing or wrong; the manager's configuration has it as `token`");
    }
    await next();
  });
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
