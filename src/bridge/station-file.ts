import { join } from 'node:path';
import { z } from 'zod';
import { mac, systemName } from '../api/forms.ts';
import { strict } from '../api/strict.ts';
import type { PortName } from '../relay/relay.ts';
import { StateFile } from './state-file.ts';
import { Stations, type Station } from './stations.ts';

/** {p1: {mac, name, pinned}} */
const stationsSchema = z.record(
  z.string(),
  strict({ mac, name: systemName.nullable(), pinned: z.boolean() }),
);

/** The stations that were met at these ports, remembered over a restart of the agent, until `close`. */
export function rememberedStations(
  stateDirectory: string,
  ports: readonly PortName[],
  warn: (message: string) => void,
): { readonly stations: Stations; readonly close: () => void } {
  const file = new StateFile(join(stateDirectory, 'stations.json'), stationsSchema, warn);
  const before = new Map(Object.entries<Station>(file.load() ?? {}).filter(([port]) => ports.includes(port)));
  const stations = new Stations(before, (all) => file.changed(() => Object.fromEntries(all)));
  return { stations, close: () => file.close() };
}
