/** How far a VSI is associated with a bridge port (802.1Q 41.5), weakest first. */
export const associations = [
  'none',
  'pre-associated',
  'pre-associated with resource reservation',
  'associated',
] as const;
export type Association = (typeof associations)[number];
