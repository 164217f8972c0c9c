import { isIP } from 'node:net';
import { z } from 'zod';
import { managerAt, managerUrlForm } from './manager-url.ts';
import { socketPathOctets } from '../base/socket-path.ts';
import { strict } from './strict.ts';

/** What the configuration files of bridge and station have in common. */

/** As protocol/evb has them, which this room may not import; the agents' types hold the two together. */
const dialectNames = ['ratified', 'draft'] as const;

const exponent = (meaning: string, least = 0) =>
  z
    .int()
    .min(least)
    .max(31)
    .meta({ description: `${meaning}: 10 µs times 2 to this power` });

/** EVB parameters (802.1Q annex D.2.12); the defaults fit lldpad. */
export const evb = strict({
  reflectiveRelay: z.boolean().default(true),
  retries: z.int().min(0).max(7).default(3),
  rte: exponent('retransmission').default(8),
  rwd: exponent('resource wait delay').default(20),
  rka: exponent('keep-alive').default(20),
  /** GroupIDs in filter info, where the other side has them too */
  groupIds: z.boolean().default(true),
  dialects: z
    .array(z.enum(dialectNames))
    .min(1)
    .refine((names) => new Set(names).size === names.length, 'has one twice; each once would be right')
    .default([...dialectNames])
    .meta({ description: 'versions of 802.1Qbg to offer: of 2012 (ratified), or draft 0.2' }),
}).prefault({});

/** What LLDP tells of where the agent's system is managed; none: the port's own MAC address. */
export const managementAddresses = z
  .array(
    z.string().refine((text) => isIP(text) !== 0, {
      error: (issue) => `is ${JSON.stringify(issue.input)}; an IP address like 192.0.2.7 would be right`,
    }),
  )
  .max(4)
  .default([]);

/** "http://manager:7470" or "unix:/run/hairpin/manager.sock" */
export const managerUrl = z.string().refine((url) => managerAt(url) !== null, {
  error: (issue) => `is ${JSON.stringify(issue.input)}; ${managerUrlForm} would be right`,
});

/** A Linux interface name. */
export const interfaceName = z.string().regex(/^[^\s/:]{1,15}$/, {
  error: (issue) =>
    `"${String(issue.input)}" is not an interface name; up to 15 characters without blanks, "/" and ":" are`,
});

export const absolutePath = z.string().regex(/^\//, {
  error: (issue) => `"${String(issue.input)}" is not an absolute path like /run/hairpin`,
});

/** Where a local socket is. */
export const socketPath = absolutePath.refine((path) => Buffer.byteLength(path) <= socketPathOctets, {
  error: (issue) =>
    `has ${Buffer.byteLength(String(issue.input))} octets; a socket's path of at most ${socketPathOctets} would be right`,
});
