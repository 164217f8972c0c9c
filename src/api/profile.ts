import { z } from 'zod';
import { limits } from '../domain/limits.ts';
import { parseTypeId, parseTypeVersion, type ProfileRef } from '../domain/profile-ref.ts';
import { unmarked, type PortProfile, type StormLimit } from '../domain/port-profile.ts';
import type { Vid } from '../domain/vid.ts';
import { accessList, noRules } from '../forms/access-list.ts';
import { direction, managerId, name, title, vlan } from '../forms/fields.ts';
import { rates } from '../forms/rate.ts';
import { optional, strict } from '../forms/strict.ts';

const mirror = strict({
  session: name,
  direction: direction.default('both'),
  filter: optional(accessList),
  truncate: optional(z.int().min(limits.truncate.least).max(limits.truncate.most)).meta({
    description: 'octets',
  }),
  sample: optional(z.int().min(limits.sample.least).max(limits.sample.most)).meta({
    description: '1 of so many',
  }),
});

const stormLimit = z.codec(
  strict({
    framesPerSecond: z.int().min(1).max(limits.mostStorm),
    burst: optional(z.int().min(1).max(limits.mostStorm)).meta({
      description: "frames; default a second's worth",
    }),
  }),
  z.custom<StormLimit>(),
  {
    decode: ({ framesPerSecond, burst = framesPerSecond }) => ({ framesPerSecond, burst }),
    encode: (value) => ({ ...value }),
  },
);

const storm = z.codec(
  strict({
    broadcast: optional(stormLimit),
    multicast: optional(stormLimit),
    unknownUnicast: optional(stormLimit),
  }),
  z.custom<PortProfile['storm']>(),
  {
    decode: ({ unknownUnicast, ...rest }) => ({
      ...rest,
      ...(unknownUnicast && { 'unknown-unicast': unknownUnicast }),
    }),
    encode: ({ 'unknown-unicast': unknownUnicast, ...rest }) => ({
      ...rest,
      ...(unknownUnicast && { unknownUnicast }),
    }),
  },
);

const marking = strict({
  dscp: z.union([z.literal('trust'), z.int().min(0).max(63)]).default('trust'),
  pcp: z.union([z.literal('trust'), z.int().min(0).max(7)]).default('trust'),
  defaultPcp: z.int().min(0).max(7).default(0),
});

/** Off only by name: what a VM has no business to send is a mistake or an attack. The address guard needs addresses. */
const guards = strict({
  address: z.boolean().default(false),
  dhcpServer: z.boolean().default(true),
  routerAdvertisement: z.boolean().default(true),
  control: z.boolean().default(true),
});

const trunk = z.codec(
  z
    .array(vlan)
    .max(limits.trunk)
    .refine((vlans) => new Set(vlans).size === vlans.length, 'has a VLAN twice; each once would be right'),
  z.custom<readonly Vid[]>(),
  { decode: (vlans) => vlans.toSorted((a, b) => a - b), encode: (vlans) => [...vlans] },
);

const form = strict({
  managerId,
  typeId: z.int().min(parseTypeId(0)).max(parseTypeId(0xffffff)),
  typeVersion: z.int().min(parseTypeVersion(0)).max(parseTypeVersion(0xff)),
  name: title,
  tenant: name,
  vlan,
  trunk: trunk.default([]),
  tagged: z
    .boolean()
    .default(false)
    .meta({ description: 'a station that leaves the VID to the bridge is told to tag with the VLAN' }),
  announce: optional(z.literal('addresses')).meta({
    description: "after a move the network is told the VSI's IP addresses too, by gratuitous ARP and NA",
  }),
  rate: rates.default({}),
  storm: storm.default({}),
  accessList: accessList.default(noRules as never),
  marking: marking.default(unmarked),
  guards: guards.prefault({}),
  mirror: mirror.nullable().default(null),
}).refine(({ vlan, trunk }) => !trunk.includes(vlan), {
  path: ['trunk'],
  message: "has the profile's own vlan; the other VLANs only would be right",
});

/**
 * A port profile: {managerId, typeId, typeVersion, name, tenant, vlan, trunk, tagged, announce, rate: {fromVm, toVm: {max: bits per
 * second, burst: octets}}, storm: {broadcast, multicast, unknownUnicast: {framesPerSecond, burst}}, accessList: {rules,
 * otherwise, sets}, marking: {dscp, pcp, defaultPcp}, guards: {address, dhcpServer, routerAdvertisement, control},
 * mirror: {session, direction, filter, truncate, sample} or null}.
 */
export const profileSchema: z.ZodType<PortProfile> = z
  .codec(form, z.custom<PortProfile>(), {
    decode: ({ managerId, typeId, typeVersion, ...rest }) => {
      const ref: ProfileRef = { managerId, typeId, typeVersion };
      return { ref, ...rest };
    },
    encode: ({ ref, ...rest }) => ({ ...ref, ...rest }) as never,
  })
  .meta({ id: 'PortProfile' });
