import { profileKey } from '../../domain/profile-ref.ts';
import type { VsiId } from '../../domain/vsi-id.ts';
import type { PortName, RelayPort } from '../../relay/contract/relay.ts';
import type { VsiEntry } from './vsi-entry.ts';

/**
 * Of the profiles in use, those that mirror to a session which no port of this bridge carries: what, and why. The
 * manager takes such a profile, as it does not know which ports its bridges have.
 */
export function unmirrored(
  entries: Iterable<VsiEntry>,
  ports: ReadonlyMap<PortName, RelayPort>,
): ReadonlyMap<string, string> {
  const sessions = new Set<string>();
  for (const port of ports.values()) if (port.kind === 'mirror') sessions.add(port.session);
  const found = new Map<string, string>();
  for (const { profile, policy } of entries)
    if (policy.mirror && !sessions.has(policy.mirror.session))
      found.set(
        `mirror of profile ${profileKey(profile)}`,
        `no port of this bridge carries session ${policy.mirror.session}; nothing is copied`,
      );
  return found;
}

/** Says it once of each profile, for as long as it stays so. */
export class MirrorWarnings {
  readonly #warn: (message: string) => void;
  readonly #said = new Set<string>();

  constructor(warn: (message: string) => void) {
    this.#warn = warn;
  }

  /** These VSIs are new or have changed. */
  look(
    vsis: Iterable<VsiId>,
    entries: ReadonlyMap<VsiId, VsiEntry>,
    ports: ReadonlyMap<PortName, RelayPort>,
  ): void {
    const changed = Array.from(vsis, (vsiId) => entries.get(vsiId)).filter((entry) => entry !== undefined);
    const found = unmirrored(changed, ports);
    for (const { profile } of changed) {
      const what = `mirror of profile ${profileKey(profile)}`;
      if (!found.has(what)) this.#said.delete(what);
    }
    for (const [what, why] of found) {
      if (!this.#said.has(what)) this.#warn(`${what}: ${why}`);
      this.#said.add(what);
    }
  }
}
