/**
 * What the API takes of a port profile, a VSI or a tenant, and what every relay holds: nobody can write what no bridge would
 * take. A relay may hold less of some, and says so in its capabilities.
 */
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
  /** bits per second */
  rate: { least: 8000, most: 1e12 },
  /** octets of a token bucket */
  mostBurst: 2 ** 31 - 1,
  /** of one kind of frames, a second and at once */
  mostStorm: 100_000_000,
  /** octets that a mirror keeps of a frame: its Ethernet header at least */
  truncate: { least: 14, most: 65_535 },
  /** of learned addresses, in s */
  ageingTime: { least: 10, most: 1_000_000 },
  /** a mirror's one of so many */
  sample: { least: 2, most: 1_000_000 },
} as const;

export const octets = (text: string) => Buffer.byteLength(text);
