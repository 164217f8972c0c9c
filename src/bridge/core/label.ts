import {
  filterFormats,
  type FilterEntry,
  type FilterFormat,
  type FilterInfo,
} from '../../domain/filter-info.ts';
import type { MacAddress } from '../../domain/mac-address.ts';
import { parseProfileKey, profileKey } from '../../domain/profile-ref.ts';
import { nullVid, type NullVid, type Vid } from '../../domain/vid.ts';
import type { VsiId } from '../../domain/vsi-id.ts';
import type { PortName, RelayVsi } from '../../relay/contract/relay.ts';
import { dropReasons } from '../../domain/drop-reason.ts';
import type { Count, Tally } from './tally.ts';
import { flipCauses, places, type Attachment, type FlipCause, type VsiEntry } from './vsi-entry.ts';

const none = '-';
/** a place in a list of up to 64 */
const digits = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';

/**
 * What the data plane keeps of an entry besides what it needs itself, so that a restarted agent can adopt it: the
 * profile's key, the filter format's number on the wire, with an "r" where a pre-association is with resource
 * reservation and a letter for the cause of a provisional flip, the GroupID, the filter's entries in order, which a station wants to see again as it gave it, the order of
 * the addresses where the entries have none, and the tally: "dc1/17/1 2 - AA- - -", "dc1/17/1 4r 7 AB5BB5 - p1:3e8:3e7:3.2",
 * "dc1/17/1 1 - A-- BA -" (the second of the ascending addresses first).
 */
export function labelOf(entry: VsiEntry): string {
  const { profile, filter, policy, addresses, attachments, tally } = entry;
  const format = Object.entries(filterFormats).find(([, name]) => name === filter.format)![0];
  const reserves = [...attachments.values()].some(({ association }) => association === reserved);
  const ascending = addresses.toSorted();
  const order = addresses.map((mac) => digits[ascending.indexOf(mac)]).join('');
  const label = [
    profileKey(profile),
    `${format}${reserves ? 'r' : ''}${entry.flip ? causeLetters[entry.flip] : ''}`,
    filter.entries[0]?.group?.toString(36) ?? none,
    filter.entries.map((entry) => entryText(entry, policy.trunk, ascending)).join(''),
    hasAddresses(filter.format) || digits.startsWith(order) ? none : order,
  ].join(' ');
  const counted = `${label} ${tallyText(tally)}`;
  return Buffer.byteLength(counted) <= labelLimit ? counted : `${label} ${none}`;
}

/** Of the relay's contract. A tally that does not fit is done without. */
const labelLimit = 255;

/** For each port its name, frames from and to the VM, and drops by the reason's number: "p1:3e8:3e7:3.2/p2:0:0". */
function tallyText(tally: Tally | null): string {
  if (!tally?.size) return none;
  const text = (count: number) => count.toString(36);
  return Array.from(tally, ([port, { fromVm, toVm, dropped }]) =>
    [
      port,
      text(fromVm),
      text(toVm),
      ...dropReasons.flatMap((reason, i) => (dropped[reason] ? [`${i}.${text(dropped[reason])}`] : [])),
    ].join(':'),
  ).join('/');
}

function tallyIn(text: string): Tally | null {
  if (text === none) return null;
  const number = (digits: string | undefined) => parseInt(digits ?? '', 36);
  return new Map(
    text.split('/').map((count): [PortName, Count] => {
      const [port = '', fromVm, toVm, ...drops] = count.split(':');
      const dropped = drops
        .map((drop) => drop.split('.'))
        .map(([i, n]) => [dropReasons[Number(i)], number(n)]);
      return [port, { fromVm: number(fromVm), toVm: number(toVm), dropped: Object.fromEntries(dropped) }];
    }),
  );
}

const causeLetters = { stop: 's', manager: 'm', announcement: 'a', left: 'l' } as const satisfies Record<
  FlipCause,
  string
>;

const reserved = 'pre-associated with resource reservation';

function hasAddresses(format: FilterFormat): boolean {
  return format.includes('mac');
}

/** Three characters: VID (the place's, or which of the trunk's), address (which of the ascending) and PCP. */
function entryText(
  { vid, mac, pcp }: FilterEntry,
  trunk: readonly Vid[],
  ascending: readonly MacAddress[],
): string {
  const vidDigit = digits[vid === nullVid ? 0 : 1 + trunk.indexOf(vid)];
  const macDigit = mac === undefined ? none : digits[ascending.indexOf(mac)];
  return `${vidDigit}${macDigit}${pcp ?? none}`;
}

function entryIn(
  text: string,
  group: number | null,
  trunk: readonly Vid[],
  ascending: readonly MacAddress[],
): FilterEntry {
  const [vidDigit = '', macDigit = none, pcp = none] = text;
  return {
    vid: trunk[digits.indexOf(vidDigit) - 1] ?? nullVid,
    ...(group === null ? {} : { group }),
    ...(pcp === none ? {} : { pcp: Number(pcp) }),
    ...(macDigit === none ? {} : { mac: ascending[digits.indexOf(macDigit)]! }),
  };
}

function inOrder(ascending: readonly MacAddress[], order: string): readonly MacAddress[] {
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
  const [key = '', form = '', groupText = none, entries = '', order = none, tally = none] =
    held.label.split(' ');
  const { active, armed, released } = held.places;
  // what is armed has not been flipped: the agent before ended between the label and the flip
  const flip = (active && !armed && flipCauses.find((cause) => form.includes(causeLetters[cause]))) || null;
  const attachments = new Map<string, Attachment>();
  const association = form.includes('r') ? reserved : 'pre-associated';
  for (const place of [active, released, armed]) {
    const isPrepared = place === armed || (flip !== null && place === active);
    if (place)
      attachments.set(place.port, {
        association: isPrepared ? association : 'associated',
        wireVid: place.wireVid,
      });
  }
  const profile = parseProfileKey(key);
  const format = filterFormats[form[0] as unknown as keyof typeof filterFormats] satisfies FilterFormat;
  const group = groupText === none ? null : parseInt(groupText, 36);
  const ascending = held.addresses.toSorted();
  const filter = {
    format,
    entries: Array.from(entries.match(/.{3}/g) ?? [], (text) =>
      entryIn(text, group, held.policy.trunk, ascending),
    ),
  };
  const named = new Set(filter.entries.flatMap(({ mac }) => mac ?? []));
  return {
    vsiId,
    profile,
    policy: held.policy,
    addresses: named.size ? [...named] : inOrder(ascending, order),
    ips: held.ips,
    filter,
    attachments,
    active: active?.port ?? null,
    flip,
    tally: tallyIn(tally),
  };
}

/** The filter info that VDP holds for an entry at a port. */
export function filterOf({ filter }: VsiEntry, { wireVid }: Attachment): FilterInfo {
  return {
    ...filter,
    entries: filter.entries.map((entry) => (entry.vid === nullVid ? { ...entry, vid: wireVid } : entry)),
  };
}

/** The filter info of an entry, of that which is granted at a place. */
export function atPlace(filter: FilterInfo, wireVid: Vid | NullVid): FilterInfo {
  return {
    ...filter,
    entries: filter.entries.map((entry) => (entry.vid === wireVid ? { ...entry, vid: nullVid } : entry)),
  };
}
