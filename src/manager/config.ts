import { isAbsolute } from 'node:path';
import { z } from 'zod';
import { absolutePath } from '../forms/agent-config.ts';
import { strict, optional } from '../forms/strict.ts';
import type { Invalid } from '../base/invalid.ts';
import { defaultListen, hostAndPort, parseListen, type Listen } from './listen.ts';

const listen = z.codec(z.string(), z.custom<Listen>(), {
  decode: (text, context) => {
    try {
      return parseListen(text);
    } catch (error) {
      context.issues.push({ code: 'custom', message: (error as Invalid).message, input: text });
      return z.NEVER;
    }
  },
  encode: (value) => (value.kind === 'unix' ? `unix:${value.path}` : hostAndPort(value.host, value.port)),
});

/** The manager's configuration: {database, listen?, hosts?, token?, stationKeys?, keepMigrations?, history?}. */
export const managerConfigSchema = strict({
  /** the database's file, or ":memory:" */
  database: z.string().refine((path) => path === ':memory:' || isAbsolute(path), {
    error: (issue) =>
      `"${String(issue.input)}" is not an absolute path like /var/lib/hairpin/manager.db, nor ":memory:"`,
  }),
  listen: z
    .array(listen)
    .min(1)
    .default([parseListen(defaultListen)]),
  /** names that it is reached under, besides this machine's own and those in `listen` */
  hosts: z
    .array(
      z.string().regex(/^[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$/, {
        error: (issue) =>
          `"${String(issue.input)}" is not a host's name; one like manager.example would be right`,
      }),
    )
    .max(64)
    .default([]),
  /** what clients have to show (Authorization: Bearer …); absent: nothing, so listen only where friends are */
  token: optional(
    z.string().regex(/^[!-~]{8,}$/, 'does not fit; 8 or more characters without blanks would be right'),
  ),
  /** the file of the keys that stations sign with, which bridges fetch; mode 0600 */
  stationKeys: optional(absolutePath),
  /** how many finished migrations are kept */
  keepMigrations: z.int().min(1).max(100_000).default(1000),
  /** how many revisions a client may be behind before it has to list again */
  history: z.int().min(100).max(1_000_000).default(10_000),
});
export type ManagerConfig = z.output<typeof managerConfigSchema>;

/** The names in a `Host` header that mean this manager, beside addresses and "localhost". */
export function namesOf({ hosts, listen }: ManagerConfig, ownName: string): ReadonlySet<string> {
  const listened = listen.flatMap((where) => (where.kind === 'tcp' ? [where.host] : []));
  const [short = ownName] = ownName.split('.');
  return new Set([...hosts, ...listened, ownName, short].map((name) => name.toLowerCase()));
}
