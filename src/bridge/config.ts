import { join } from 'node:path';
import { z } from 'zod';
import { absolutePath, evb, interfaceName, managementAddresses, managerUrl } from '../api/agent-config.ts';
import * as form from '../api/forms.ts';
import { profileSchema } from '../api/profile.ts';
import { bitRate } from '../api/rate.ts';
import { strict } from '../api/strict.ts';
import { tenantSchema } from '../api/tenant.ts';
import { vsiSpecSchema } from '../api/vsi.ts';
import { profileKey } from '../domain/profile-ref.ts';
import { defaultAgeingTime } from '../relay/relay.ts';

/** How frames leave by a port (PortEgress). */
const egress = {
  /** bits per second that leave by the port at most, queued and not dropped; guarantees to tenants need one */
  shaper: bitRate.optional(),
  /** hand frames straight to the other end of the veth that the port is */
  peerDelivery: z.literal(true).optional(),
};

const port = z.discriminatedUnion('kind', [
  strict({
    kind: z.literal('station'),
    ...egress,
    /** whether a VM's own announcement makes it active where it is armed; absent: unless the station is Hairpin's own */
    announcements: z.enum(['armed', 'never']).optional(),
    /** when a second station speaks at it: go on with the first, or let go of all and be down until the link was */
    secondStation: z.enum(['ignore', 'down']).default('ignore'),
  }),
  strict({
    kind: z.literal('network'),
    /** untagged frames belong to it; absent: they are dropped */
    nativeVlan: form.vlan.optional(),
    /** carried with a tag */
    vlans: z.array(form.vlan).default([]),
    ...egress,
  }),
  strict({ kind: z.literal('mirror'), session: form.name }),
]);

/**
 * The configuration file of `hairpin bridge`. What VSIs are granted comes from a manager, or from the file itself:
 * `tenants`, `profiles` and `vsis`, as `hairpin tenant put`, `profile put` and `vsi put` take them.
 */
export const bridgeConfig = strict({
  name: form.name,
  manager: managerUrl.optional(),
  /** of the manager, if it wants one */
  token: z.string().min(1).optional(),
  /** those that have limits */
  tenants: z.array(tenantSchema).optional(),
  profiles: z.array(profileSchema).optional(),
  vsis: z.array(vsiSpecSchema).optional(),
  /** where the data plane is pinned and the copy of the manager's database is kept; not on a network file system */
  stateDirectory: absolutePath,
  /** the local socket of `hairpin bridge show`; absent: "control.sock" in the state directory */
  control: absolutePath.optional(),
  evb,
  /** how long an address that was learned on a network port is remembered, in s */
  ageingTime: z.int().min(10).max(1_000_000).default(defaultAgeingTime),
  managementAddresses,
  limits: strict({
    vsisPerPort: z.int().min(1).max(16_383).default(1_024),
    filterEntries: z.int().min(1).max(64).default(64),
    /** who speak LLDP at a port to other addresses than its station */
    otherNeighbours: z.int().min(0).max(256).default(8),
  }).prefault({}),
  ports: z
    .record(interfaceName, port)
    .refine(
      (ports) => Object.values(ports).some(({ kind }) => kind === 'station'),
      'has no port of kind station; at least one would be right',
    )
    .refine((ports) => {
      const sessions = Object.values(ports).flatMap((port) => (port.kind === 'mirror' ? [port.session] : []));
      return new Set(sessions).size === sessions.length;
    }, 'has two mirror ports of one session; one would be right'),
}).superRefine(({ manager, tenants, profiles, vsis, ports }, context) => {
  const refuse = (path: PropertyKey[], message: string) =>
    context.addIssue({ code: 'custom', path, message });
  for (const [name, port] of Object.entries(ports))
    if (port.kind !== 'mirror' && port.shaper !== undefined && port.peerDelivery)
      refuse(
        ['ports', name, 'peerDelivery'],
        'is there beside a shaper, which queues what peer delivery lets past it; one of the two would be right',
      );
  if (manager !== undefined) {
    if (tenants ?? profiles ?? vsis)
      refuse(['manager'], 'is given beside tenants, profiles and vsis; either of the two would be right');
    return;
  }
  if (!profiles || !vsis) {
    refuse(['manager'], 'is missing; a manager, or profiles and vsis, would be right');
    return;
  }
  const keys = profiles.map(({ ref }) => profileKey(ref));
  keys.forEach((key, i) => {
    if (keys.indexOf(key) < i) refuse(['profiles', i], `${key} is there twice; once would be right`);
  });
  const guaranteed = (tenants ?? []).reduce((sum, { guaranteed }) => sum + (guaranteed ?? 0), 0);
  for (const [name, port] of Object.entries(ports))
    if (port.kind !== 'mirror' && port.shaper !== undefined && guaranteed > port.shaper)
      refuse(
        ['ports', name, 'shaper'],
        `is ${port.shaper}, and the tenants are guaranteed ${guaranteed} together; at least that would be right`,
      );
  tenants?.forEach(({ name }, i) => {
    if (tenants.findIndex((tenant) => tenant.name === name) < i)
      refuse(['tenants', i, 'name'], `${name} is there twice; once would be right`);
  });
  vsis.forEach((vsi, i) => {
    const { vsiId, profile: key, tenant, ips } = vsi;
    if (vsis.findIndex((vsi) => vsi.vsiId === vsiId) < i)
      refuse(['vsis', i, 'vsiId'], `${vsiId} is there twice; once would be right`);
    const profile = profiles[keys.indexOf(key)];
    if (!profile) {
      refuse(['vsis', i, 'profile'], `${key} is not among the profiles; ${keys.join(' or ')} would be right`);
      return;
    }
    if (profile.tenant !== tenant)
      refuse(
        ['vsis', i, 'tenant'],
        `is ${tenant}, and profile ${key} is ${profile.tenant}'s; the same tenant would be right`,
      );
    if (profile.guards.address && !ips?.length)
      refuse(
        ['vsis', i, 'ips'],
        `has no address, and profile ${key} guards addresses; the VM's IP addresses would be right`,
      );
  });
});
export type BridgeConfig = z.output<typeof bridgeConfig>;

/** Where `hairpin bridge show` finds the agent. */
export function controlPath({ control, stateDirectory }: BridgeConfig): string {
  return control ?? join(stateDirectory, 'control.sock');
}
