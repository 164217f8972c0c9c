import { z } from 'zod';
import type { Bridge } from '../domain/bridge.ts';
import { name, reason, timestamp, title } from '../forms/fields.ts';
import { optional, strict } from '../forms/strict.ts';

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
