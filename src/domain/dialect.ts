/** The two versions of 802.1Qbg on the wire: of 2012, and draft 0.2, which lldpad and libvirt use by default. */
export const dialectNames = ['ratified', 'draft'] as const;
export type DialectName = (typeof dialectNames)[number];
