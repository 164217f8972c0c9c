import { z } from 'zod';
import { parseTypeId, parseTypeVersion, type ProfileRef } from '../domain/profile-ref.ts';
import type { AccessList, Direction, PortProfile, RateLimit } from '../domain/port-profile.ts';
import { direction, etherType, managerId, name, ports, prefix, protocol, title, vlan } from './forms.ts';
import { optional, strict } from './strict.ts';

const accessRule = strict({
  action: z.enum(['allow', 'deny']),
  direction: direction.default('both'),
  etherType: optional(etherType),
  source: optional(prefix),
  destination: optional(prefix),
  protocol: optional(protocol),
  sourcePorts: optional(ports),
  destinationPorts: optional(ports),
}).superRefine((rule, context) => {
  const refuse = (path: string, message: string) =>
    context.addIssue({ code: 'custom', path: [path], message });
  const hasPorts = rule.sourcePorts ?? rule.destinationPorts;
  if (hasPorts && ![6, 17, 132].includes(rule.protocol ?? -1))
    refuse('protocol', 'has to go with ports; tcp, udp or sctp would be right');
  const families = new Set([rule.source, rule.destination].flatMap((p) => (p ? [familyOf(p.address)] : [])));
  if (families.size > 1)
    refuse(
      'destination',
      'is of another IP version than source; two IPv4 or two IPv6 prefixes would be right',
    );
  const [family] = families;
  const isIp = family !== undefined || rule.protocol !== undefined;
  const right = family !== undefined ? [family] : [0x0800, 0x86dd];
  if (isIp && rule.etherType !== undefined && !right.includes(rule.etherType))
    refuse('etherType', "never goes with this rule's IP fields; leaving it out would be right");
});

/** The EtherType of an address's IP version. */
function familyOf(address: string): number {
  return address.includes(':') ? 0x86dd : 0x0800;
}

const accessList = strict({
  rules: z.array(accessRule).max(10_000).default([]),
  otherwise: z.enum(['allow', 'deny']).default('allow'),
});

const leastBurst = 16 * 1024;

/** 25 ms worth, so that a TCP sender's bursts fit; at least 16 KiB. */
function defaultBurst(max: number): number {
  return Math.max(leastBurst, Math.ceil((max / 8) * 0.025));
}

const rateLimit = z.codec(
  strict({
    max: z.int().min(8000).max(1e12).meta({ description: 'bits per second' }),
    burst: optional(
      z
        .int()
        .min(1518)
        .max(2 ** 31 - 1),
    ).meta({ description: 'octets; default 25 ms worth' }),
  }),
  z.custom<RateLimit>(),
  {
    decode: ({ max, burst }) => ({ max, burst: burst ?? defaultBurst(max) }),
    encode: ({ max, burst }) => ({ max, burst }),
  },
);

const rate = z.codec(
  strict({ fromVm: optional(rateLimit), toVm: optional(rateLimit) }),
  z.custom<Readonly<Partial<Record<Direction, RateLimit>>>>(),
  {
    decode: ({ fromVm, toVm }) => ({ ...(fromVm && { 'from-vm': fromVm }), ...(toVm && { 'to-vm': toVm }) }),
    encode: (value) => ({
      ...(value['from-vm'] && { fromVm: value['from-vm'] }),
      ...(value['to-vm'] && { toVm: value['to-vm'] }),
    }),
  },
);

const mirror = strict({ session: name, direction: direction.default('both') });

const noRules: AccessList = { rules: [], otherwise: 'allow' };

const form = strict({
  managerId,
  typeId: z.int().min(parseTypeId(0)).max(parseTypeId(0xffffff)),
  typeVersion: z.int().min(parseTypeVersion(0)).max(parseTypeVersion(0xff)),
  name: title,
  tenant: name,
  vlan,
  tagged: z.boolean().default(false),
  rate: rate.default({}),
  accessList: accessList.default(noRules as never),
  mirror: mirror.nullable().default(null),
});

/**
 * A port profile: {managerId, typeId, typeVersion, name, tenant, vlan, tagged, rate: {fromVm, toVm: {max: bits per
 * second, burst: octets}}, accessList: {rules, otherwise}, mirror: {session, direction} or null}.
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
