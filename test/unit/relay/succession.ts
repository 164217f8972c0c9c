import * as fc from 'fast-check';
import type { VsiId } from '../../../src/domain/vsi-id.ts';
import type { Capabilities } from '../../../src/relay/capabilities.ts';
import type { RelayState, RelayVsi } from '../../../src/relay/relay.ts';
import { anyState, stateOf } from './arbitrary.ts';
import { record } from './arbitrary-policy.ts';
import { idOf } from './states.ts';

/** A state as the heir of the one before it. */
export interface Heir {
  readonly fresh: RelayState;
  /** what becomes of each VSI: it stays, moves to other places, changes wholly or goes */
  readonly vsis: readonly ('stays' | 'moves' | 'changes' | 'goes')[];
  readonly keepsPorts: boolean;
  readonly keepsTenants: boolean;
}

const mostVsis = 8;

export function anyHeir(capabilities: Capabilities): fc.Arbitrary<Heir> {
  return record({
    fresh: anyState(capabilities),
    vsis: fc.array(fc.constantFrom('stays', 'stays', 'moves', 'changes', 'goes'), {
      minLength: mostVsis,
      maxLength: mostVsis,
    }),
    keepsPorts: fc.boolean(),
    keepsTenants: fc.boolean(),
  });
}

export function inherit(
  before: RelayState | null,
  { fresh, vsis, keepsPorts, keepsTenants }: Heir,
): RelayState {
  if (!before) return fresh;
  const heirs = vsis.flatMap((what, i): [VsiId, RelayVsi][] => {
    const id = idOf(i + 1);
    const [old, now] = [before.vsis.get(id), fresh.vsis.get(id)];
    if (what === 'goes') return [];
    const moved = what === 'moves' && old && now ? { ...old, places: now.places } : null;
    const heir = moved ?? (what === 'changes' ? now : (old ?? now));
    return heir ? [[id, heir]] : [];
  });
  return stateOf({
    ports: (keepsPorts ? before : fresh).ports,
    networkPorts: (keepsPorts ? before : fresh).networkPorts,
    vsis: heirs,
    tenants: (keepsTenants ? before : fresh).tenants,
    ageingTime: fresh.ageingTime,
  });
}
