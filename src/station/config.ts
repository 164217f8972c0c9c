import { z } from 'zod';
import {
  absolutePath,
  evb,
  interfaceName,
  managementAddresses,
  managerUrl,
  socketPath,
} from '../api/agent-config.ts';
import * as form from '../api/forms.ts';
import { strict } from '../api/strict.ts';

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
  /** where QEMU monitors for the station appear: a QMP socket NAME.SUFFIX for each VM */
  qemu: strict({
    directory: absolutePath,
    suffix: z.string().min(2).default('.ev'),
  }).optional(),
});
export type StationConfig = z.output<typeof stationConfig>;
