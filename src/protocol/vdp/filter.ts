import type { FilterEntry, FilterInfo } from '../../domain/filter-info.ts';
import { isGroup } from '../../domain/mac-address.ts';
import { nullVid } from '../../domain/vid.ts';
import type { ProfileRef } from '../../domain/profile-ref.ts';
import type { VdpRequest } from './association.ts';

/** `granted` is an answer to `requested`: the same entries in the same order, with VID and PCP chosen where left open. */
export function grants(granted: FilterInfo, requested: FilterInfo): boolean {
  return (
    granted.format === requested.format &&
    granted.entries.length === requested.entries.length &&
    granted.entries.every((entry, i) => fills(entry, requested.entries[i]!))
  );
}

function fills(granted: FilterEntry, requested: FilterEntry): boolean {
  return (
    granted.mac === requested.mac &&
    granted.group === requested.group &&
    (requested.vid === nullVid || granted.vid === requested.vid) &&
    (requested.pcp === undefined || granted.pcp === requested.pcp)
  );
}

export function sameFilter(a: FilterInfo, b: FilterInfo): boolean {
  return (
    a.format === b.format &&
    a.entries.length === b.entries.length &&
    a.entries.every((entry, i) => {
      const other = b.entries[i]!;
      return (
        entry.vid === other.vid &&
        entry.pcp === other.pcp &&
        entry.mac === other.mac &&
        entry.group === other.group
      );
    })
  );
}

export function usesGroups({ format }: FilterInfo): boolean {
  return format === 'group-vid' || format === 'group-mac-vid';
}

/** A VM NIC has a unicast address. */
export function hasGroupAddress({ entries }: FilterInfo): boolean {
  return entries.some(({ mac }) => mac !== undefined && (isGroup(mac) || mac === '00:00:00:00:00:00'));
}

export function sameProfile(a: ProfileRef, b: ProfileRef): boolean {
  return a.managerId === b.managerId && a.typeId === b.typeId && a.typeVersion === b.typeVersion;
}

/** Hints aside: they say how the VM is, not what it asks for. */
export function sameRequest(a: VdpRequest, b: VdpRequest): boolean {
  return a.mode === b.mode && sameProfile(a.profile, b.profile) && sameFilter(a.filter, b.filter);
}
