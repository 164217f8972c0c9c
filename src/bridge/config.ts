import { join } from 'node:path';
import { z } from 'zod';
import { absolutePath, evb, interfaceName, managementAddresses, managerUrl } from '../api/agent-config.ts';
import * as form from '../api/forms.ts';
import { profileSchema } from '../api/profile.ts';
import { strict } from '../api/strict.ts';
import { vsiSpecSchema } from '../api/vsi.ts';
import { profileKey } from '../domain/profile-ref.ts';

const port = z.discriminatedUnion('kind', [
  strict({
    kind: z.literal('station'),
    /** when a second station speaks at it: go on with the first, or let go of all and be down until the link was */
    secondStation: z.enum(['ignore', 'down']).default('ignore'),
  }),
  strict({
    kind: z.literal('network'),
    /** untagged frames belong to it; absent: they are dropped */
    nativeVlan: form.vlan.optional(),
    /** carried with a tag */
    vlans: z.array(form.vlan).default([]),
  }),
  strict({ kind: z.literal('mirror'), session: form.name }),
]);

/**
 * The configuration file of `hairpin bridge`. What VSIs are granted comes from a manager, or from the file itself:
 * `profiles` and `vsis`, as `hairpin profile put` and `hairpin vsi put` take them.
 */
export const bridgeConfig = strict({
  name: form.name,
  manager: managerUrl.optional(),
  /** of the manager, if it wants one */
  token: z.string().min(1).optional(),
  profiles: z.array(profileSchema).optional(),
  vsis: z.array(vsiSpecSchema).optional(),
  /** where the data plane is pinned and the copy of the manager's database is kept; not on a network file system */
  stateDirectory: absolutePath,
  /** the local socket of `hairpin bridge show`; absent: "control.sock" in the state directory */
  control: absolutePath.optional(),
  evb,
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
}).superRefine(({ manager, profiles, vsis }, context) => {
  const refuse = (path: PropertyKey[], message: string) =>
    context.addIssue({ code: 'custom', path, message });
  if (manager !== undefined) {
    if (profiles ?? vsis)
      refuse(['manager'], 'is given beside profiles and vsis; either of the two would be right');
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
  vsis.forEach(({ vsiId, profile }, i) => {
    if (vsis.findIndex((vsi) => vsi.vsiId === vsiId) < i)
      refuse(['vsis', i, 'vsiId'], `${vsiId} is there twice; once would be right`);
    if (!keys.includes(profile))
      refuse(
        ['vsis', i, 'profile'],
        `${profile} is not among the profiles; ${keys.join(' or ')} would be right`,
      );
  });
});
export type BridgeConfig = z.output<typeof bridgeConfig>;

/** Where `hairpin bridge show` finds the agent. */
export function controlPath({ control, stateDirectory }: BridgeConfig): string {
  return control ?? join(stateDirectory, 'control.sock');
}
