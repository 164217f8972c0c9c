import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import type { LabFiles } from './agent-configs.ts';
import { hosts } from './scenario.ts';

/** Each station's key: in a file of its own, and in the manager's, from which the bridge has them. */
export function writeKeys(files: LabFiles): void {
  const mode = 0o600;
  const keys = hosts.map(({ name }) => [name, randomBytes(32).toString('hex')] as const);
  for (const [name, key] of keys) writeFileSync(files.key(name), `${key}\n`, { mode });
  writeFileSync(files.stationKeys, JSON.stringify(Object.fromEntries(keys)), { mode });
}
