import { z } from 'zod';
import type { Timestamp } from '../domain/migration.ts';
import { name, reason, timestamp, title } from '../forms/fields.ts';
import { optional, strict } from '../forms/strict.ts';

export type Json = z.core.util.JSONType;

/** One port as its bridge reports it; `evb`, `neighbour`, `counters` and what else there is are for people to read. */
export interface BridgePortStatus {
  readonly name: string;
  readonly kind: 'station' | 'network' | 'mirror';
  readonly [detail: string]: Json;
}

/** What a bridge agent says of itself. */
export interface Bridge {
  readonly name: string;
  readonly ports: readonly BridgePortStatus[];
  /** what the administrator changed and its data plane cannot do: what was before is in force */
  readonly refused?: readonly { readonly what: string; readonly reason: string }[];
  readonly at: Timestamp;
}

/** any JSON value */
export const jsonSchema = z.json();

const port = z.object({ name: title, kind: z.enum(['station', 'network', 'mirror']) }).catchall(jsonSchema);

/** {name, ports: [{name, kind, …}], refused?: [{what, reason}], at} */
export const bridgeSchema: z.ZodType<Bridge> = strict({
  name,
  ports: z.array(port).max(4096),
  refused: optional(z.array(strict({ what: z.string().max(200), reason })).max(10_000)),
  at: timestamp,
}).meta({ id: 'Bridge' });
