import { z } from 'zod';
import {
  absolutePath,
  evb,
  interfaceName,
  managementAddresses,
  managerUrl,
  socketPath,
} from '../../forms/agent-config.ts';
import * as form from '../../forms/fields.ts';
import { profileSchema } from '../../api/profile.ts';
import { bitRate } from '../../forms/rate.ts';
import { strict } from '../../forms/strict.ts';
import { tenantSchema } from '../../api/tenant.ts';
import { limits } from '../../domain/limits.ts';
import { vsiSpecSchema } from '../../api/vsi.ts';
import { defaultHold, noHold, type Hold } from '../../protocol/vdp/hold.ts';
import { defaultAgeingTime, hostProtocols, type HostProtocol } from '../../relay/contract/relay.ts';
import { contradictions, defaultControl } from './config-checks.ts';

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
    /** how long a VSI is held whose keep-alives are lost, in s; absent: for as long as the link is up, and a minute after that */
    hold: z.union([z.literal('release'), z.int().min(1).max(1_000_000)]).optional(),
    /** the host's own traffic, which no VDP associates */
    host: strict({
      macs: z.array(form.mac).min(1).max(limits.addresses),
      vlan: form.vlan,
      tagged: z.boolean().default(false),
    }).optional(),
    /** when a second station speaks at it: go on with the first, or let go of all and be down until the link was */
    secondStation: z.enum(['ignore', 'down']).default('ignore'),
    /** how long the port waits for a station that does not sign and is not heard, in s; then another can have it */
    placeHold: z.int().min(0).max(86_400).default(120),
  }),
  strict({
    kind: z.literal('network'),
    /** untagged frames belong to it; absent: they are dropped */
    nativeVlan: form.vlan.optional(),
    /** carried with a tag */
    vlans: z
      .array(form.vlan)
      .refine((vlans) => new Set(vlans).size === vlans.length, 'has a VLAN twice; each once would be right')
      .default([]),
    /** the VLAN that the switch's own stack is in at this port, tagged unless it is the native one; absent: in none */
    hostVlan: form.vlan.optional(),
    /** control frames that the switch's own stack gets */
    hostProtocols: z.array(z.enum(Object.keys(hostProtocols) as HostProtocol[])).default([]),
    ...egress,
  }).refine(({ nativeVlan, vlans }) => nativeVlan === undefined || !vlans.includes(nativeVlan), {
    path: ['vlans'],
    message: "has the port's own nativeVlan; the other VLANs only would be right",
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
  /** the file of the keys that stations sign with; mode 0600. Absent: the manager's, if there is one */
  stationKeys: absolutePath.optional(),
  /** those that have limits */
  tenants: z.array(tenantSchema).optional(),
  profiles: z.array(profileSchema).optional(),
  vsis: z.array(vsiSpecSchema).optional(),
  /** where the data plane is pinned and the copy of the manager's database is kept; not on a network file system */
  stateDirectory: absolutePath,
  /** the local socket of `hairpin bridge show`; absent: "control.sock" in the state directory */
  control: socketPath.optional(),
  evb,
  /** how long an address that was learned on a network port is remembered, in s */
  ageingTime: z.int().min(limits.ageingTime.least).max(limits.ageingTime.most).default(defaultAgeingTime),
  managementAddresses,
  limits: strict({
    vsisPerPort: z.int().min(1).max(16_383).default(1_024),
    filterEntries: z.int().min(1).max(64).default(64),
    /** who speak LLDP at a port to other addresses than its station */
    otherNeighbours: z.int().min(0).max(256).default(8),
    /** frames that tell the network of VSIs that have moved */
    announcementsPerSecond: z.int().min(10).max(100_000).default(500),
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
}).superRefine((config, context) => {
  for (const { path, message } of contradictions(config))
    context.addIssue({ code: 'custom', path: [...path], message });
});
export type BridgeConfig = z.output<typeof bridgeConfig>;

/** Where `hairpin bridge show` finds the agent. */
export function controlPath({ control, stateDirectory }: BridgeConfig): string {
  return control ?? defaultControl(stateDirectory);
}

/** "release" is what the standard has. */
export function holdOf(hold: number | 'release' | undefined): Hold {
  if (hold === undefined) return defaultHold;
  return hold === 'release' ? noHold : { linkUp: hold * 1000, linkDown: hold * 1000 };
}
