import { createHash, timingSafeEqual } from 'node:crypto';
import { createMiddleware } from 'hono/factory';
import { Refusal } from './refusal.ts';

/** Lets pass who shows the token. Digests are compared, so that neither length nor content shows in the time. */
export function bearer(token: string) {
  const expected = digest(token);
  return createMiddleware(async (c, next) => {
    const shown = /^Bearer (.+)$/i.exec(c.req.header('authorization') ?? '')?.[1];
    if (shown === undefined || !timingSafeEqual(digest(shown), expected)) {
      c.header('WWW-Authenticate', 'Bearer');
      throw new Refusal(401, "the token is missing or wrong; the manager's configuration has it as `token`");
    }
    await next();
  });
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
