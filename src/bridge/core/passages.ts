import type { PortName, Places } from '../../relay/contract/relay.ts';
import { places, type VsiEntry } from './vsi-entry.ts';

/** What a change of an entry means to a migration: its ports, and the moment it has reached. */
export interface Passage {
  readonly moment: 'ready' | 'flip' | 'undo' | 'active' | 'release' | 'abort';
  /** null where the source had let go before the destination became active */
  readonly source: PortName | null;
  readonly destination: PortName;
}

/** The passages of a migration between two states of one VSI, in order. */
export function passages(before: VsiEntry | null, after: VsiEntry | null): Passage[] {
  const was = before ? places(before) : nowhere;
  const is = after ? places(after) : nowhere;
  const source = was.active?.port ?? null;
  if (!is.active) return [];
  const destination = is.active.port;
  if (source === destination) return [...steps(before!, after!)];
  if (source && was.released?.port === destination) {
    const [moment, given]: Passage['moment'][] = before!.flip ? ['undo', 'abort'] : ['abort'];
    const back = { source: destination, destination: source };
    const gone = given !== undefined && !after!.attachments.has(source);
    return [{ moment: moment!, ...back }, ...(gone ? [{ moment: given, ...back }] : [])];
  }
  if (!source && was.armed?.port !== destination) return [];
  const arrival: Passage = { moment: after!.flip ? 'flip' : 'active', source, destination };
  return is.released ? [arrival] : [arrival, { moment: 'release', source, destination }];
}

/** What a change means to a migration of a VSI that stays active where it is. */
function* steps(before: VsiEntry, after: VsiEntry): Generator<Passage> {
  const [was, is] = [places(before), places(after)];
  const here = after.active!;
  if (before.flip && !after.flip)
    yield { moment: 'active', source: was.released?.port ?? null, destination: here };
  if (is.armed && is.armed.port !== was.armed?.port)
    yield { moment: 'ready', source: here, destination: is.armed.port };
  else if (was.armed && !is.armed) yield { moment: 'abort', source: here, destination: was.armed.port };
  else if (was.released && !is.released)
    yield { moment: 'release', source: was.released.port, destination: here };
}

const nowhere: Places = { active: null, armed: null, released: null };
