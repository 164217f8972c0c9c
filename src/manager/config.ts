import { isAbsolute } from 'node:path';
import { z } from 'zod';
import { principalKinds } from './access/principal.ts';
import { absolutePath } from '../forms/agent-config.ts';
import { systemName } from '../forms/fields.ts';
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

/** The manager's configuration: {database, listen?, hosts?, token?, tokens?, stationKeys?, keepMigrations?, history?}. */
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
  /** further ones, each for one administrator, bridge or station, by their SHA-256 */
  tokens: z
    .array(
      strict({
        name: systemName,
        kind: z.enum(principalKinds),
        sha256: z
          .string()
          .regex(
            /^[0-9a-f]{64}$/,
            'is no SHA-256; 64 hexadecimal digits, as "printf %s TOKEN | sha256sum" prints them, would be right',
          ),
      }),
    )
    .max(10_000)
    .superRefine((tokens, context) => {
      const owners = new Map<string, number>();
      for (const [i, { sha256 }] of tokens.entries()) {
        const owner = owners.get(sha256);
        const message = `is that of tokens.${owner}; a token of its own would be right`;
        if (owner !== undefined) context.addIssue({ code: 'custom', path: [i, 'sha256'], message });
        owners.set(sha256, i);
      }
    })
    .default([]),
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
