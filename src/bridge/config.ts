import { z } from 'zod';
import { absolutePath, evb, interfaceName, managerUrl } from '../api/agent-config.ts';
import * as form from '../api/forms.ts';
import { strict } from '../api/strict.ts';

const port = z.discriminatedUnion('kind', [
  strict({ kind: z.literal('station') }),
  strict({
    kind: z.literal('network'),
    /** untagged frames belong to it; absent: they are dropped */
    nativeVlan: form.vlan.optional(),
    /** carried with a tag */
    vlans: z.array(form.vlan).default([]),
  }),
  strict({ kind: z.literal('mirror'), session: form.name }),
]);

/** The configuration file of `hairpin bridge`. */
export const bridgeConfig = strict({
  name: form.name,
  manager: managerUrl,
  /** of the manager, if it wants one */
  token: z.string().min(1).optional(),
  /** where the data plane is pinned and the copy of the manager's database is kept; not on a network file system */
  stateDirectory: absolutePath,
  evb,
  limits: strict({
    vsisPerPort: z.int().min(1).max(16_383).default(1_024),
    filterEntries: z.int().min(1).max(64).default(64),
  }).prefault({}),
  ports: z
    .record(interfaceName, port)
    .refine(
      (ports) => Object.values(ports).some(({ kind }) => kind === 'station'),
      'has no port of kind station; at least one would be right',
    ),
});
export type BridgeConfig = z.output<typeof bridgeConfig>;
