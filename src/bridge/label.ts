import { filterFormats, type FilterFormat, type FilterInfo } from '../domain/filter-info.ts';
import type { MacAddress } from '../domain/mac-address.ts';
import { parseProfileKey, profileKey } from '../domain/profile-ref.ts';
import type { VsiId } from '../domain/vsi-id.ts';
import type { RelayVsi } from '../relay/relay.ts';
import { places, type Attachment, type VsiEntry } from './vsi-entry.ts';

const none = '-';
/** a place in a list of up to 64 */
const digits = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';

/**
 * What the data plane keeps of an entry besides what it needs itself, so that a restarted agent can adopt it: the
 * profile's key, the filter format's number on the wire, GroupID, PCP, the order of the addresses, which a station wants
 * to see again as it gave it, and whether a pre-association is with resource reservation: "dc1/17/1 2 - - - -",
 * "dc1/17/1 4 7 5 BA rr" (the second of the ascending addresses first).
 */
export function labelOf({ profile, filterFormat, group, pcp, addresses, attachments }: VsiEntry): string {
  const format = Object.entries(filterFormats).find(([, name]) => name === filterFormat)![0];
  const ascending = addresses.toSorted();
  const order = addresses.map((mac) => digits[ascending.indexOf(mac)]).join('');
  return [
    profileKey(profile),
    format,
    group ?? none,
    pcp ?? none,
    digits.startsWith(order) ? none : order,
    [...attachments.values()].some(({ association }) => association === reserved) ? 'rr' : none,
  ].join(' ');
}

const reserved = 'pre-associated with resource reservation';

function inOrder(addresses: readonly MacAddress[], order: string): readonly MacAddress[] {
  const ascending = addresses.toSorted();
  if (order === none) return ascending;
  return Array.from(order, (digit) => ascending[digits.indexOf(digit)]!);
}

export function toRelay(entry: VsiEntry): RelayVsi {
  return {
    addresses: entry.addresses,
    ips: entry.ips,
    policy: entry.policy,
    places: places(entry),
    label: labelOf(entry),
  };
}

/** The entry that `toRelay` made this from. @throws Invalid for a label that is not ours */
export function fromRelay(vsiId: VsiId, held: RelayVsi): VsiEntry {
  const [key = '', format = '', group = none, pcp = none, order = none, reserves = none] =
    held.label.split(' ');
  const { active, armed, released } = held.places;
  const attachments = new Map<string, Attachment>();
  for (const place of [active, released])
    if (place) attachments.set(place.port, { association: 'associated', wireVid: place.wireVid });
  const association = reserves === 'rr' ? reserved : 'pre-associated';
  if (armed) attachments.set(armed.port, { association, wireVid: armed.wireVid });
  return {
    vsiId,
    profile: parseProfileKey(key),
    policy: held.policy,
    addresses: inOrder(held.addresses, order),
    ips: held.ips,
    filterFormat: filterFormats[format as unknown as keyof typeof filterFormats] satisfies FilterFormat,
    group: group === none ? null : Number(group),
    pcp: pcp === none ? null : Number(pcp),
    attachments,
    active: active?.port ?? null,
  };
}

/** The filter info that VDP holds for an entry at a port. */
export function filterOf(
  { filterFormat, group, pcp, addresses }: VsiEntry,
  { wireVid }: Attachment,
): FilterInfo {
  const common = {
    vid: wireVid,
    ...(group === null ? {} : { group }),
    ...(pcp === null ? {} : { pcp }),
  };
  const entries = filterFormat.includes('mac') ? addresses.map((mac) => ({ ...common, mac })) : [common];
  return { format: filterFormat, entries };
}
