import { Invalid } from '../base/invalid.ts';
import { parseVid, type Vid } from './vid.ts';

/** VLANs from one to another, both included. */
export interface VlanRange {
  readonly from: Vid;
  readonly to: Vid;
}

/** @throws Invalid unless a VLAN, or a range of them: 100, "200-299" */
export function parseVlanRange(value: string | number): VlanRange {
  const [, first, last = first] = /^(\d{1,4})(?:-(\d{1,4}))?$/.exec(String(value)) ?? [];
  if (first === undefined || Number(first) > Number(last))
    throw new Invalid(`"${value}" is not a VLAN or a range of VLANs; 100 or 200-299 would be right`);
  return { from: parseVid(Number(first)), to: parseVid(Number(last)) };
}

export function formatVlanRange({ from, to }: VlanRange): string | number {
  return from === to ? from : `${from}-${to}`;
}

export function vlansText(ranges: readonly VlanRange[]): string {
  return ranges.map(formatVlanRange).join(', ') || 'none';
}

/** Those that are in none of the ranges; without ranges, each VLAN is allowed. */
export function vlansOutside(
  ranges: readonly VlanRange[] | undefined,
  vlans: readonly Vid[],
): readonly Vid[] {
  if (!ranges) return [];
  return vlans.filter((vlan) => !ranges.some(({ from, to }) => from <= vlan && vlan <= to));
}
