import type { Association } from '../domain/association.ts';
import type { MacAddress } from '../domain/mac-address.ts';
import type { FilterInfo } from '../domain/filter-info.ts';
import type { Policy } from '../domain/port-profile.ts';
import type { ProfileRef } from '../domain/profile-ref.ts';
import type { NullVid, Vid } from '../domain/vid.ts';
import type { VsiId } from '../domain/vsi-id.ts';
import type { PortName, Place, Places } from '../relay/relay.ts';
import type { Tally } from './tally.ts';

/** How a VSI is attached to one station port. */
export interface Attachment {
  readonly association: Exclude<Association, 'none'>;
  readonly wireVid: Vid | NullVid;
}

/**
 * One VSI as the bridge knows it: where it is attached, and at which of these ports it is active. The places that
 * the relay needs follow from that (`places`), so no two of them can contradict each other.
 *
 *     reserve(P)                 activate(P)                     detach(Q)
 *     ─▶ active Q, armed P  ─▶  active P, released Q  ─▶  active P
 *             │ detach(P): abort           │ detach(P): back to active Q
 *             ▼                            ▼
 *        active Q                     active Q
 */
export interface VsiEntry {
  readonly vsiId: VsiId;
  readonly profile: ProfileRef;
  readonly policy: Policy;
  readonly addresses: readonly MacAddress[];
  /** the VSI's own, for the address guard */
  readonly ips: readonly string[];
  /** how the station describes the VSI's frames; the null VID stands for that of the place */
  readonly filter: FilterInfo;
  readonly attachments: ReadonlyMap<PortName, Attachment>;
  readonly active: PortName | null;
  /** what was counted before the migration that is under way; null: there is none, or it is not known */
  readonly tally: Tally | null;
}

/** How a VSI may be attached where it is not active. */
export type Reservation = Exclude<Association, 'none' | 'associated'>;

/**
 * Pre-associates at `port`; where the VSI is active there, it stays so. An earlier pre-association elsewhere gives way:
 * the last announced destination counts.
 */
export function reserve(
  entry: VsiEntry,
  port: PortName,
  wireVid: Vid | NullVid,
  association: Reservation,
): VsiEntry {
  if (entry.active === port) return renew(entry, port, wireVid);
  const others = [...entry.attachments].filter(
    ([at, held]) => at !== port && held.association === 'associated',
  );
  return { ...entry, attachments: new Map([...others, [port, { association, wireVid }]]) };
}

/** Associates at `port`: the VSI is active there from now on, and its previous port is released. Again: nothing moves. */
export function activate(entry: VsiEntry, port: PortName, wireVid: Vid | NullVid): VsiEntry {
  const others = [...entry.attachments].filter(
    ([at]) => at !== port && (at === entry.active || entry.active === port),
  );
  const attachments = new Map<PortName, Attachment>([
    ...others,
    [port, { association: 'associated', wireVid }],
  ]);
  return { ...entry, attachments, active: port };
}

/** Renews an association that is there, and moves nothing: a released port that is heard late stays released. */
export function renew(entry: VsiEntry, port: PortName, wireVid: Vid | NullVid): VsiEntry {
  const held = entry.attachments.get(port);
  if (!held || held.wireVid === wireVid) return entry;
  return { ...entry, attachments: new Map([...entry.attachments, [port, { ...held, wireVid }]]) };
}

/**
 * De-associates at `port`. Where the VSI was active there and its previous port has not let go of it, it is active
 * there again: a migration that fails after the cut-over leaves the source as it was. Null: nothing is left of it.
 */
export function detach(entry: VsiEntry, port: PortName): VsiEntry | null {
  if (!entry.attachments.has(port)) return entry;
  const attachments = new Map([...entry.attachments].filter(([at]) => at !== port));
  if (attachments.size === 0) return null;
  if (entry.active !== port) return { ...entry, attachments };
  const previous = [...attachments].find(([, { association }]) => association === 'associated');
  return { ...entry, attachments, active: previous?.[0] ?? null };
}

/** Whether the VSI has moved away from the port, which has not let go of it yet. */
export function isReleased({ active, attachments }: VsiEntry, port: PortName): boolean {
  return active !== port && attachments.get(port)?.association === 'associated';
}

export function places(entry: VsiEntry): Places {
  let active: Place | null = null;
  let armed: Place | null = null;
  let released: Place | null = null;
  for (const [port, { association, wireVid }] of entry.attachments)
    if (port === entry.active) active = { port, wireVid };
    else if (association === 'associated') released = { port, wireVid };
    else armed = { port, wireVid };
  return { active, armed, released };
}

/** What a change of an entry means to a migration: its ports, and the moment it has reached. */
export interface Passage {
  readonly moment: 'ready' | 'active' | 'release' | 'abort';
  /** null where the source had let go before the destination became active */
  readonly source: PortName | null;
  readonly destination: PortName;
}

/** The passages of a migration between two states of one VSI, in order. */
export function passages(before: VsiEntry | null, after: VsiEntry | null): Passage[] {
  const was = before ? places(before) : nowhere;
  const is = after ? places(after) : nowhere;
  const source = was.active?.port ?? null;
  if (source && is.active?.port === source) {
    if (is.armed && is.armed.port !== was.armed?.port)
      return [{ moment: 'ready', source, destination: is.armed.port }];
    if (was.armed && !is.armed) return [{ moment: 'abort', source, destination: was.armed.port }];
    if (was.released && !is.released)
      return [{ moment: 'release', source: was.released.port, destination: source }];
    return [];
  }
  if (!is.active) return [];
  const destination = is.active.port;
  if (source && was.released?.port === destination)
    return [{ moment: 'abort', source: destination, destination: source }];
  if (!source && was.armed?.port !== destination) return [];
  const arrival: Passage = { moment: 'active', source, destination };
  return is.released ? [arrival] : [arrival, { moment: 'release', source, destination }];
}

const nowhere: Places = { active: null, armed: null, released: null };
