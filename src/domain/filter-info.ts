import type { MacAddress } from './mac-address.ts';
import type { NullVid, Vid } from './vid.ts';

/** One filter info entry (802.1Q 41.2.9): which frames belong to a VSI. A field a format lacks is absent. */
export interface FilterEntry {
  readonly vid: Vid | NullVid;
  /** priority code point 0 to 7, present when the PS bit is set */
  readonly pcp?: number;
  readonly mac?: MacAddress;
  /** group identifier, 32 bits */
  readonly group?: number;
}

/** Filter info formats, by the value on the wire. */
export const filterFormats = { 1: 'vid', 2: 'mac-vid', 3: 'group-vid', 4: 'group-mac-vid' } as const;
export type FilterFormat = (typeof filterFormats)[keyof typeof filterFormats];

export interface FilterInfo {
  readonly format: FilterFormat;
  /** at least one */
  readonly entries: readonly FilterEntry[];
}
