import type { Association } from '../../domain/association.ts';
import type { MacAddress } from '../../domain/mac-address.ts';
import type { FilterInfo } from '../../domain/filter-info.ts';
import type { Policy } from '../../domain/port-profile.ts';
import type { ProfileRef } from '../../domain/profile-ref.ts';
import type { NullVid, Vid } from '../../domain/vid.ts';
import type { VsiId } from '../../domain/vsi-id.ts';
import type { PortName, Place, Places } from '../../relay/contract/relay.ts';
import type { Tally } from './tally.ts';

/**
 * Why a VSI was made active where its station has not said yet that the VM runs there:
 *
 * - `stop`: the source's signed station said, by VDP, that the VM has stopped to go there.
 * - `manager`: the manager said so, for stations that have no such word.
 * - `announcement`: the VM was heard where it was armed.
 * - `left`: the source de-associated, or its link is down, while a place was armed.
 */
export const flipCauses = ['stop', 'manager', 'announcement', 'left'] as const;
export type FlipCause = (typeof flipCauses)[number];

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
 *
 * A flip makes the destination active before its station has said that the VM runs there. It is provisional:
 *
 *     active Q, armed P ──flip──▶ active P, released Q, provisional ──activate(P)──▶ active P, released Q
 *            ▲                          │        │
 *            └──────────undo────────────┘        └──detach(P)──▶ active Q
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
  /** why it is active where it is only pre-associated, provisionally; null: it is not, or that is confirmed */
  readonly flip: FlipCause | null;
  /** what was counted before the migration that is under way; null: there is none, or it is not known */
  readonly tally: Tally | null;
}

/** How a VSI may be attached where it is not active. */
export type Reservation = Exclude<Association, 'none' | 'associated'>;

/**
 * Pre-associates at `port`; where the VSI is active there, it stays so. An earlier pre-association elsewhere gives way:
 * the last announced destination counts, also where the VSI is active there provisionally.
 */
export function reserve(
  before: VsiEntry,
  port: PortName,
  wireVid: Vid | NullVid,
  association: Reservation,
): VsiEntry {
  const entry = unlessAt(before, port);
  if (entry.active === port) return renew(entry, port, wireVid);
  const others = [...entry.attachments].filter(
    ([at, held]) => at !== port && held.association === 'associated',
  );
  return { ...entry, attachments: new Map([...others, [port, { association, wireVid }]]) };
}

/** Associates at `port`: the VSI is active there from now on, and its previous port is released. Again: nothing moves. */
export function activate(before: VsiEntry, port: PortName, wireVid: Vid | NullVid): VsiEntry {
  const entry = unlessAt(before, port);
  const others = [...entry.attachments].filter(
    ([at]) => at !== port && (at === entry.active || entry.active === port),
  );
  const attachments = new Map<PortName, Attachment>([
    ...others,
    [port, { association: 'associated', wireVid }],
  ]);
  return { ...entry, attachments, active: port, flip: null };
}

/** What happens elsewhere ends a provisional flip: the VSI is where it came from. */
function unlessAt(entry: VsiEntry, port: PortName): VsiEntry {
  return entry.active === port ? entry : undo(entry);
}

/** Renews an association that is there, and moves nothing: a released port that is heard late stays released. */
export function renew(entry: VsiEntry, port: PortName, wireVid: Vid | NullVid): VsiEntry {
  const held = entry.attachments.get(port);
  if (!held || held.wireVid === wireVid) return entry;
  return { ...entry, attachments: new Map([...entry.attachments, [port, { ...held, wireVid }]]) };
}

/**
 * De-associates at `port`. Where the VSI was active there and its previous port has not let go of it, it is active
 * there again: a migration that fails after the cut-over leaves the source as it was. A source that lets go of a VM that
 * was heard elsewhere confirms that: it is the second word for it. Null: nothing is left of it.
 */
export function detach(entry: VsiEntry, port: PortName): VsiEntry | null {
  if (!entry.attachments.has(port)) return entry;
  const attachments = new Map([...entry.attachments].filter(([at]) => at !== port));
  if (attachments.size === 0) return null;
  const { active, flip } = entry;
  if (active !== port) {
    const left = { ...entry, attachments };
    const here = active === null ? undefined : attachments.get(active);
    return flip === 'announcement' && here ? activate(left, active!, here.wireVid) : left;
  }
  const previous = [...attachments].find(([, { association }]) => association === 'associated');
  return { ...entry, attachments, active: previous?.[0] ?? null, flip: null };
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

/**
 * Makes the VSI active where it is armed, provisionally; nothing where it is armed nowhere. A port that it had left before
 * that, and which has not let go of it yet, has to now.
 */
export function flip(entry: VsiEntry, cause: FlipCause): VsiEntry {
  const { armed } = places(entry);
  if (!armed) return entry;
  const attachments = new Map(
    [...entry.attachments].filter(([at]) => at === armed.port || at === entry.active),
  );
  return { ...entry, attachments, active: armed.port, flip: cause };
}

/** Takes a provisional flip back: the VSI is active at its source again, if that is still there, and armed where it was. */
export function undo(entry: VsiEntry): VsiEntry {
  if (!entry.flip) return entry;
  return { ...entry, active: places(entry).released?.port ?? null, flip: null };
}

/** Whether an association at the port confirms a flip, or makes one: the VSI is only pre-associated there. */
export function isConfirmedBy({ attachments, active, flip }: VsiEntry, port: PortName): boolean {
  const held = attachments.get(port)?.association;
  return held !== undefined && (active === port ? flip !== null : held !== 'associated');
}
