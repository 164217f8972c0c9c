import { isDeepStrictEqual } from 'node:util';
import { z } from 'zod';
import {
  absolutePath,
  evb,
  interfaceName,
  managementAddresses,
  managerUrl,
  socketPath,
} from '../forms/agent-config.ts';
import * as form from '../forms/fields.ts';
import { strict } from '../forms/strict.ts';
import { Invalid } from '../base/invalid.ts';

/** The configuration file of `hairpin station`. */
export const stationConfig = strict({
  name: form.name,
  uplink: interfaceName,
  manager: managerUrl,
  /** of the manager, if it wants one */
  token: z.string().min(1).optional(),
  /** the local socket on which a toolstack announces what the station cannot see by itself */
  control: socketPath,
  /** the file of the key that control frames are signed with; mode 0600. Absent: they are not signed */
  key: absolutePath.optional(),
  evb,
  managementAddresses,
  /** whether the interface of a VM that is on its way here is set up as soon as the bridge has armed it */
  setUpWhenArmed: z.boolean().default(true),
  /** where QEMU monitors for the station appear: a QMP socket NAME.SUFFIX for each VM */
  qemu: strict({
    directory: absolutePath,
    suffix: z.string().min(2).default('.ev'),
  }).optional(),
});
export type StationConfig = z.output<typeof stationConfig>;

/** What a station that runs can change; for all else it is another station, or says another thing of itself. */
const changeable: ReadonlySet<string> = new Set<keyof StationConfig>([
  'manager',
  'token',
  'qemu',
  'setUpWhenArmed',
]);

/** @throws Invalid if a running station cannot go from one configuration to the other */
export function refuseFixed(before: StationConfig, after: StationConfig): void {
  const keys = new Set([...Object.keys(before), ...Object.keys(after)] as (keyof StationConfig)[]);
  const fixed = [...keys].filter(
    (key) => !changeable.has(key) && !isDeepStrictEqual(before[key], after[key]),
  );
  if (fixed.length)
    throw new Invalid(
      `${fixed.join(', ')} cannot change while the station runs; to restart it would be right, which costs its VMs nothing`,
    );
}
