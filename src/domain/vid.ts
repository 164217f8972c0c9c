import { Invalid } from '../base/invalid.ts';

/** A VLAN identifier that names a VLAN: 1 to 4094 (0 is "no VLAN", 4095 is reserved; 802.1Q table 9-2). */
export type Vid = number & { readonly __brand: 'Vid' };

/** The null VID: in filter info "the bridge chooses", on the wire an untagged or priority-tagged frame. */
export const nullVid = 0 as const;
export type NullVid = typeof nullVid;

/** @throws Invalid unless `value` is an integer from 1 to 4094. */
export function parseVid(value: number): Vid {
  if (!Number.isInteger(value) || value < 1 || value > 4094)
    throw new Invalid(`VLAN ${value} does not exist; a VLAN identifier is 1 to 4094`);
  return value as Vid;
}
