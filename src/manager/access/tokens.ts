import { createHash } from 'node:crypto';
import type { Context } from 'hono';
import { createMiddleware } from 'hono/factory';
import { Refusal } from '../objects/refusal.ts';
import { anybody, type Principal } from './principal.ts';
import { objection, type Deed } from './roles.ts';

/** What a request shows of who sends it: a token, or all that is asked for where there is none. */
export interface Admitted {
  readonly shows: 'token' | 'enough';
  readonly principal: Principal;
}

export type Caller = Admitted | { readonly shows: 'nothing' };

/** What `bearer` leaves with a request that it lets pass. */
export interface Access {
  readonly Variables: { caller?: Admitted };
}

/** By the request's Authorization. */
export type Identify = (authorization: string | undefined) => Caller;

interface Tokens {
  /** one that all may share, and that may do everything */
  readonly token?: string | undefined;
  readonly tokens: readonly (Principal & { readonly sha256: string })[];
}

/** Digests are compared, so that neither length nor content of a token shows in the time. */
export function identifier({ token, tokens }: Tokens): Identify {
  if (token === undefined && tokens.length === 0) return () => ({ shows: 'enough', principal: anybody });
  const principals = new Map<string, Principal>(
    tokens.map(({ name, kind, sha256 }) => [sha256, { name, kind }]),
  );
  if (token !== undefined) principals.set(sha256(token), { name: 'token', kind: 'administrator' });
  return (authorization) => {
    const shown = /^Bearer (.+)$/i.exec(authorization ?? '')?.[1];
    const principal = shown === undefined ? undefined : principals.get(sha256(shown));
    return principal ? { shows: 'token', principal } : { shows: 'nothing' };
  };
}

/** Lets pass who shows what is asked for. */
export function bearer(identify: Identify) {
  return createMiddleware<Access>(async (c, next) => {
    const caller = identify(c.req.header('authorization'));
    if (caller.shows === 'nothing') {
      c.header('WWW-Authenticate', 'Bearer');
      throw new Refusal(
        401,
        "the token is missing or wrong; the manager's configuration has it as `token`, or its SHA-256 among `tokens`",
      );
    }
    c.set('caller', caller);
    await next();
  });
}

/** Who asks, behind `bearer`. @throws Refusal (403) unless they may */
export function authorize(c: Context<Access>, deed: Deed): Admitted {
  const caller = c.get('caller')!;
  const refused = objection(caller.principal, deed);
  if (refused !== null) throw new Refusal(403, refused);
  return caller;
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
