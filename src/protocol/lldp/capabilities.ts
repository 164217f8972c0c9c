/** System capabilities by their bit, the lowest first (802.1AB table 8-4). */
export const capabilityNames = [
  'other',
  'repeater',
  'bridge',
  'wlan access point',
  'router',
  'telephone',
  'docsis cable device',
  'station only',
  'c-vlan component',
  's-vlan component',
  'two-port mac relay',
] as const;
export type Capability = (typeof capabilityNames)[number];

/** 16 bits to names; bits that nobody has defined have none. */
export function capabilitiesOf(bits: number): Capability[] {
  return capabilityNames.filter((_, bit) => (bits >> bit) & 1);
}

export function capabilityBits(...names: readonly Capability[]): number {
  return names.reduce((bits, name) => bits | (1 << capabilityNames.indexOf(name)), 0);
}
