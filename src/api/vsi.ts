import { z } from 'zod';
import { associations, type Association } from '../domain/association.ts';
import { limits } from '../domain/limits.ts';
import type { MacAddress } from '../domain/mac-address.ts';
import type { Timestamp } from '../domain/migration.ts';
import type { ProfileKey } from '../domain/profile-ref.ts';
import type { VsiId } from '../domain/vsi-id.ts';
import { ipAddress, mac, name, profile, systemName, timestamp, title, vsiId } from '../forms/fields.ts';
import { optional, strict } from '../forms/strict.ts';

/** What the administrator says of one VM NIC, and thereby all that the bridges may grant it. */
export interface VsiSpec {
  readonly vsiId: VsiId;
  /** the VM's name */
  readonly name: string;
  readonly tenant: string;
  /** at least one; each is unique within the profile's VLAN */
  readonly macs: readonly MacAddress[];
  /** its IPv4 and IPv6 addresses, in canonical text, for profiles that guard them; absent: none are known */
  readonly ips?: readonly string[];
  readonly profile: ProfileKey;
  /** stations it may appear at, by system name; absent: any */
  readonly hosts?: readonly string[];
}

/** Where a VSI is, as the bridges say. */
export interface VsiStatus {
  /** "none" in a report says that the VSI has left that port */
  readonly association: Association;
  readonly bridge: string;
  readonly port: string;
  /** the station's system name by LLDP; null if it gave none */
  readonly station: string | null;
  readonly at: Timestamp;
  /** since when the bridge holds it without its station's keep-alives; absent: they come in time */
  readonly held?: Timestamp;
}

export interface Vsi extends VsiSpec {
  /** null: it is associated nowhere */
  readonly status: VsiStatus | null;
}

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
