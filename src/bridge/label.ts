import { filterFormats, type FilterFormat, type FilterInfo } from '../domain/filter-info.ts';
import { parseProfileKey, profileKey } from '../domain/profile-ref.ts';
import type { VsiId } from '../domain/vsi-id.ts';
import type { RelayVsi } from '../relay/relay.ts';
import { places, type Attachment, type VsiEntry } from './vsi-entry.ts';

/**
 * What the data plane keeps of an entry besides what it needs itself, so that a restarted agent can adopt it: the
 * profile's key, the filter format's number on the wire and the GroupID if it has one: "dc1/17/1 2", "dc1/17/1 3 7"
 */
export function labelOf({ profile, filterFormat, group }: VsiEntry): string {
  const format = Object.entries(filterFormats).find(([, name]) => name === filterFormat)![0];
  return [profileKey(profile), format, ...(group === null ? [] : [group])].join(' ');
}

export function toRelay(entry: VsiEntry): RelayVsi {
  return {
    addresses: entry.addresses,
    policy: entry.policy,
    places: places(entry),
    label: labelOf(entry),
  };
}

/** The entry that `toRelay` made this from. @throws Invalid for a label that is not ours */
export function fromRelay(vsiId: VsiId, held: RelayVsi): VsiEntry {
  const [key = '', format = '', group] = held.label.split(' ');
  const { active, armed, released } = held.places;
  const attachments = new Map<string, Attachment>();
  for (const place of [active, released])
    if (place) attachments.set(place.port, { association: 'associated', wireVid: place.wireVid });
  if (armed) attachments.set(armed.port, { association: 'pre-associated', wireVid: armed.wireVid });
  return {
    vsiId,
    profile: parseProfileKey(key),
    policy: held.policy,
    addresses: held.addresses,
    filterFormat: filterFormats[format as unknown as keyof typeof filterFormats] satisfies FilterFormat,
    group: group === undefined ? null : Number(group),
    attachments,
    active: active?.port ?? null,
  };
}

/** The filter info that VDP holds for an entry at a port. */
export function filterOf({ filterFormat, group, addresses }: VsiEntry, { wireVid }: Attachment): FilterInfo {
  const common = { vid: wireVid, ...(group === null ? {} : { group }) };
  const entries = filterFormat.includes('mac') ? addresses.map((mac) => ({ ...common, mac })) : [common];
  return { format: filterFormat, entries };
}
