import type { AccessList, Policy } from '../../domain/port-profile.ts';

/** What not every data plane can do for a VSI. */
export const features = [
  'trunk',
  'storm control',
  'DSCP marking',
  'PCP marking',
  'address guard',
  'DHCP server guard',
  'router advertisement guard',
  'control protocol guard',
  'mirror',
  'mirror filter',
  'mirror truncation',
  'mirror sampling',
] as const;
export type Feature = (typeof features)[number];

/** What a relay can do. */
export interface Capabilities {
  readonly relay: string;
  readonly features: ReadonlySet<Feature>;
  /** rules of one access list */
  readonly rules: number;
}

/** Why a relay cannot do what a policy says, in one line; null if it can. */
export function objection(policy: Policy, { relay, features, rules }: Capabilities): string | null {
  for (const feature of asked(policy))
    if (!features.has(feature)) return `the ${relay} relay has no ${feature}`;
  for (const list of lists(policy))
    if (list.rules.length > rules)
      return `${list.rules.length} access rules; the ${relay} relay has room for ${rules}`;
  return null;
}

function asked({ trunk, storm, marking, guards, mirror }: Policy): Feature[] {
  const wanted: [boolean, Feature][] = [
    [trunk.length > 0, 'trunk'],
    [Object.keys(storm).length > 0, 'storm control'],
    [marking.dscp !== 'trust', 'DSCP marking'],
    [marking.pcp !== 'trust' || marking.defaultPcp !== 0, 'PCP marking'],
    [guards.address, 'address guard'],
    [guards.dhcpServer, 'DHCP server guard'],
    [guards.routerAdvertisement, 'router advertisement guard'],
    [guards.control, 'control protocol guard'],
    [mirror !== null, 'mirror'],
    [mirror?.filter !== undefined, 'mirror filter'],
    [mirror?.truncate !== undefined, 'mirror truncation'],
    [mirror?.sample !== undefined, 'mirror sampling'],
  ];
  return wanted.flatMap(([is, feature]) => (is ? [feature] : []));
}

function lists({ accessList, mirror }: Policy): AccessList[] {
  return mirror?.filter ? [accessList, mirror.filter] : [accessList];
}
