import type { FilterInfo } from '../../domain/filter-info.ts';
import type { VdpErrorCode } from './association.ts';
import { hasGroupAddress, usesGroups } from './filter.ts';

export interface VdpLimits {
  /** VSIs at one port, held and asked for */
  readonly vsis: number;
  /** filter entries of one VSI */
  readonly filterEntries: number;
}

/** More NICs than VMs of one host have, and more addresses than one NIC. */
export const defaultLimits: VdpLimits = { vsis: 1024, filterEntries: 64 };

export interface Problem {
  readonly code: VdpErrorCode;
  readonly reason: string;
}

/**
 * Why the bridge refuses a filter without asking anybody; null: it does not.
 * @param groupIds whether EVB has agreed on them
 */
export function filterProblem(filter: FilterInfo, limits: VdpLimits, groupIds: boolean): Problem | null {
  const { length } = filter.entries;
  if (usesGroups(filter) && !groupIds)
    return { code: 'invalid VID, GroupID or MAC address', reason: 'GroupIDs were not agreed on by EVB' };
  if (hasGroupAddress(filter))
    return { code: 'invalid VID, GroupID or MAC address', reason: "a VM's address is unicast" };
  if (length > limits.filterEntries)
    return {
      code: 'insufficient resources',
      reason: `${length} filter entries; ${limits.filterEntries} fit`,
    };
  return null;
}
