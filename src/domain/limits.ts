/** What no driver holds more of. Every driver holds as much, but for what its capabilities say: a state that one accepts, all accept. */
export const limits = {
  rules: 1024,
  /** named sets of one access list */
  sets: 256,
  /** of one set */
  prefixes: 1024,
  /** of all sets of one access list */
  allPrefixes: 16_384,
  trunk: 16,
  addresses: 64,
  ips: 64,
  labelOctets: 255,
  nameOctets: 63,
  portNameOctets: 15,
} as const;

export const octets = (text: string) => Buffer.byteLength(text);
