import { z } from 'zod';
import { associations } from '../domain/association.ts';
import { limits } from '../domain/limits.ts';
import type { Vsi, VsiSpec, VsiStatus } from '../domain/vsi.ts';
import { ipAddress, mac, name, profile, systemName, timestamp, title, vsiId } from '../forms/fields.ts';
import { optional, strict } from '../forms/strict.ts';

/** {association, bridge, port, station, at, held?} */
export const vsiStatusSchema: z.ZodType<VsiStatus> = strict({
  association: z.enum(associations),
  bridge: name,
  port: title,
  station: systemName.nullable().default(null),
  at: timestamp,
  held: optional(timestamp),
}).meta({ id: 'VsiStatus' });

const addressTwice = 'has an address twice; each once would be right';
const eachOnce = (list: readonly string[]) => new Set(list).size === list.length;

const spec = {
  vsiId,
  name: title,
  tenant: name,
  macs: z.array(mac).min(1).max(limits.addresses).refine(eachOnce, addressTwice),
  ips: optional(z.array(ipAddress).max(limits.ips).refine(eachOnce, addressTwice)),
  profile,
  hosts: optional(z.array(systemName).max(1000)),
};

/** {vsiId, name, tenant, macs, ips?, profile: "dc1/17/1", hosts?, status} */
export const vsiSchema: z.ZodType<Vsi> = strict({
  ...spec,
  status: vsiStatusSchema.nullable().default(null),
}).meta({ id: 'Vsi' });

/** As the administrator writes it. What one reads and edits has a status; whatever it says, it is not looked at. */
export const vsiSpecSchema: z.ZodType<VsiSpec> = strict({ ...spec, status: z.unknown().optional() }).meta({
  id: 'VsiSpec',
});
