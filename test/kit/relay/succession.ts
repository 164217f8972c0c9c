import * as fc from 'fast-check';
import type { VsiId } from '../../../src/domain/vsi-id.ts';
import type { Capabilities } from '../../../src/relay/contract/capabilities.ts';
import type { Places, RelayState, RelayVsi } from '../../../src/relay/contract/relay.ts';
import { anyState, stateOf } from './arbitrary.ts';
import { record } from './arbitrary-policy.ts';
import { idOf } from './states.ts';

/** A state as the heir of the one before it. */
export interface Heir {
  readonly fresh: RelayState;
  /** what becomes of each VSI: it stays, turns, moves to any other places, changes wholly or goes */
  readonly vsis: readonly ('stays' | 'turns' | 'moves' | 'changes' | 'goes')[];
  readonly keepsPorts: boolean;
  readonly keepsTenants: boolean;
}

const mostVsis = 8;

export function anyHeir(capabilities: Capabilities): fc.Arbitrary<Heir> {
  return record({
    fresh: anyState(capabilities),
    vsis: fc.array(fc.constantFrom('stays', 'turns', 'turns', 'moves', 'changes', 'goes'), {
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
    if (what === 'turns' && old) return [[id, { ...old, places: turned(old.places) }]];
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

/** As a flip does, as its undo does, or as one that is made in haste. */
function turned({ active, armed, released }: Places): Places {
  if (active && armed) return { active: armed, armed: null, released: active };
  if (active && released) return { active: released, armed: active, released: null };
  return { active: null, armed: null, released: active ?? armed ?? released };
}
