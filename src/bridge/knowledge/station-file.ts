import { join } from 'node:path';
import { z } from 'zod';
import { mac, systemName } from '../../forms/fields.ts';
import type { PortIdentity } from '../../protocol/signed/identity.ts';
import type { PortName } from '../../relay/contract/relay.ts';
import { keptAs } from '../../forms/tolerant.ts';
import { StateFile } from '../../local/state-file.ts';
import { Stations, type Station } from '../core/stations.ts';

const identity = z.custom<PortIdentity>((value) => typeof value === 'string' && /^[0-9a-f]+$/.test(value));
const fingerprint = z.string().regex(/^[0-9a-f]{16}$/);
const count = z.int().min(0).max(0xffff_ffff);

/** {p1: {mac, name, place, verified}}; of an older version without the last two, and with what is not read any more */
const stationsSchema = z.record(
  z.string(),
  z.object({
    mac,
    name: systemName.nullable(),
    place: z
      .object({ mac, id: identity, name: systemName.nullable(), key: fingerprint.nullable() })
      .nullable()
      .default(null),
    verified: z
      .array(z.object({ fingerprint, epoch: count, sequence: count }))
      .readonly()
      .default([]),
  }),
);

/** The stations that were met at these ports, remembered over a restart of the agent, until `close`. */
export function rememberedStations(
  stateDirectory: string,
  ports: readonly PortName[],
  warn: (message: string) => void,
): { readonly stations: Stations; readonly close: () => void } {
  const file = new StateFile(join(stateDirectory, 'stations.json'), keptAs(stationsSchema), warn);
  const before = new Map(Object.entries<Station>(file.load() ?? {}).filter(([port]) => ports.includes(port)));
  const stations = new Stations(before, (all, isUrgent) => {
    file.changed(() => Object.fromEntries(all));
    if (isUrgent) file.write();
  });
  return { stations, close: () => file.write() };
}
