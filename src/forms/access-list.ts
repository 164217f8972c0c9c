import { z } from 'zod';
import { etherTypes, ipProtocols, withIcmpType, withPorts } from '../domain/packet-numbers.ts';
import { limits } from '../domain/limits.ts';
import type { AccessList } from '../domain/port-profile.ts';
import {
  addressMatch,
  direction,
  etherType,
  macMatch,
  name,
  ports,
  prefix,
  protocol,
  vlan,
} from './fields.ts';
import { optional, strict } from './strict.ts';

const ruleFields = {
  action: z.enum(['allow', 'deny']),
  direction: direction.default('both'),
  sourceMac: optional(macMatch),
  destinationMac: optional(macMatch),
  etherType: optional(etherType),
  vlan: optional(vlan),
  source: optional(addressMatch),
  destination: optional(addressMatch),
  protocol: optional(protocol),
  sourcePorts: optional(ports),
  destinationPorts: optional(ports),
  tcpEstablished: optional(z.literal(true)),
  icmpType: optional(z.int().min(0).max(255)),
  dscp: optional(z.int().min(0).max(63)),
  fragment: optional(z.boolean()),
};
export const accessRuleFields = Object.keys(ruleFields);

const accessRule = strict(ruleFields).superRefine((rule, context) => {
  const refuse = (path: string, message: string) =>
    context.addIssue({ code: 'custom', path: [path], message });
  const hasPorts = rule.sourcePorts ?? rule.destinationPorts;
  if (hasPorts && !withPorts.includes(rule.protocol))
    refuse('protocol', 'has to go with ports; tcp, udp or sctp would be right');
  if (rule.tcpEstablished && rule.protocol !== ipProtocols.tcp)
    refuse('protocol', 'has to go with tcpEstablished; tcp would be right');
  if (rule.icmpType !== undefined && !withIcmpType.includes(rule.protocol))
    refuse('protocol', 'has to go with icmpType; icmp or icmpv6 would be right');
  const families = new Set(
    [rule.source, rule.destination].flatMap((p) => (p && 'address' in p ? [familyOf(p.address)] : [])),
  );
  if (families.size > 1)
    refuse(
      'destination',
      'is of another IP version than source; two IPv4 or two IPv6 prefixes would be right',
    );
  const [family] = families;
  const isIp = (rule.source ?? rule.destination ?? rule.protocol ?? rule.dscp ?? rule.fragment) !== undefined;
  const right = family !== undefined ? [family] : [etherTypes.ipv4, etherTypes.ipv6];
  if (isIp && rule.etherType !== undefined && !right.includes(rule.etherType))
    refuse('etherType', "never goes with this rule's IP fields; leaving it out would be right");
});

/** The EtherType of an address's IP version. */
function familyOf(address: string): number {
  return address.includes(':') ? etherTypes.ipv6 : etherTypes.ipv4;
}

const sets = z
  .record(name, z.array(prefix).min(1).max(limits.prefixes))
  .refine(
    (sets) => Object.keys(sets).length <= limits.sets,
    `has too many sets; at most ${limits.sets} would be right`,
  )
  .refine(
    (sets) => Object.values(sets).reduce((sum, prefixes) => sum + prefixes.length, 0) <= limits.allPrefixes,
    `has too many prefixes in all its sets; at most ${limits.allPrefixes} would be right`,
  );

/** {rules, otherwise, sets?: {name: [prefix, …]}}; a rule names a set as "@name" */
export const accessList = strict({
  rules: z.array(accessRule).max(limits.rules).default([]),
  otherwise: z.enum(['allow', 'deny']).default('allow'),
  sets: optional(sets),
}).superRefine(({ rules, sets = {} }, context) => {
  rules.forEach((rule, i) => {
    for (const field of ['source', 'destination'] as const) {
      const match = rule[field];
      if (!match || !('set' in match) || Object.hasOwn(sets, match.set)) continue;
      const known = Object.keys(sets).map((name) => `@${name}`);
      context.addIssue({
        code: 'custom',
        path: ['rules', i, field],
        message: `@${match.set} is not among the list's sets; ${known.join(' or ') || 'a prefix'} would be right`,
      });
    }
  });
});

/** Each rule as it is written. */
export function writtenRules(list: AccessList): readonly object[] {
  return z.encode(accessList, list as never).rules ?? [];
}

export const noRules: AccessList = { rules: [], otherwise: 'allow' };
