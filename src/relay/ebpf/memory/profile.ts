import { directions, stormKinds, type Direction, type Policy } from '../../../domain/port-profile.ts';
import { bucketOf, concerns, stormBucketOf } from '../../contract/policy.ts';
import { profileSize } from './layout.ts';

/** What a profile refers to by number; 0: it has none. */
export interface ProfileNumbers {
  /** the port that carries the mirror's session */
  readonly mirrorPort: number;
  /** the tenant, if it has limits */
  readonly tenant: number;
  readonly accessList: number;
  readonly mirrorFilter: number;
}

const does = {
  control: 1,
  dhcpServer: 2,
  routerAdvertisement: 4,
  address: 8,
  list: 16,
  storm: 32,
  rate: 64,
  tenantRate: 128,
  mark: 256,
  mirror: 512,
} as const;
const offsets = {
  does: 0,
  accessList: 8,
  mirrorFilter: 12,
  truncate: 16,
  sample: 20,
  mirrorPort: 24,
  vlan: 26,
  tenant: 28,
  trunks: 30,
  dscp: 32,
  pcp: 33,
  defaultPcp: 34,
  rate: 40,
  storm: 72,
  trunk: 120,
} as const;
const trust = 255;

/** A policy as the data plane has it (struct profile). */
export function encodeProfile(policy: Policy, numbers: ProfileNumbers): Uint8Array<ArrayBuffer> {
  const { vlan, trunk, rate, storm, marking, mirror } = policy;
  const bytes = new Uint8Array(profileSize);
  const view = new DataView(bytes.buffer);
  directions.forEach((direction, i) => {
    view.setUint32(offsets.does + 4 * i, tasks(policy, numbers, direction), true);
    if (rate[direction]) writeRate(view, offsets.rate + 16 * i, bucketOf(rate[direction]));
  });
  stormKinds.forEach((kind, i) => {
    if (storm[kind]) writeRate(view, offsets.storm + 16 * i, stormBucketOf(storm[kind]));
  });
  view.setUint32(offsets.accessList, numbers.accessList, true);
  view.setUint32(offsets.mirrorFilter, numbers.mirrorFilter, true);
  view.setUint32(offsets.truncate, mirror?.truncate ?? 0, true);
  view.setUint32(offsets.sample, mirror?.sample ?? 1, true);
  view.setUint16(offsets.mirrorPort, numbers.mirrorPort, true);
  view.setUint16(offsets.vlan, vlan, true);
  view.setUint16(offsets.tenant, numbers.tenant, true);
  view.setUint16(offsets.trunks, Number(trunk.length > 0), true);
  for (const one of trunk) bytes[offsets.trunk + (one >> 3)]! |= 1 << (one & 7);
  view.setUint8(offsets.dscp, marking.dscp === 'trust' ? trust : marking.dscp);
  view.setUint8(offsets.pcp, marking.pcp === 'trust' ? trust : marking.pcp);
  view.setUint8(offsets.defaultPcp, marking.defaultPcp);
  return bytes;
}

/** The numbers that `encodeProfile` was given. */
export function numbersOf(profile: Uint8Array<ArrayBuffer>): ProfileNumbers {
  const view = new DataView(profile.buffer, profile.byteOffset, profileSize);
  return {
    mirrorPort: view.getUint16(offsets.mirrorPort, true),
    tenant: view.getUint16(offsets.tenant, true),
    accessList: view.getUint32(offsets.accessList, true),
    mirrorFilter: view.getUint32(offsets.mirrorFilter, true),
  };
}

/** A struct rate; a cost says that there is one. */
export function writeRate(
  view: DataView,
  at: number,
  { cost, depth }: { readonly cost: bigint; readonly depth: bigint },
): void {
  view.setBigUint64(at, cost, true);
  view.setBigUint64(at + 8, depth, true);
}

function tasks(policy: Policy, numbers: ProfileNumbers, direction: Direction): number {
  const { guards, marking, mirror } = policy;
  const fromVm = direction === 'from-vm';
  const marks = marking.dscp !== 'trust' || marking.pcp !== 'trust' || marking.defaultPcp !== 0;
  const wanted: [boolean, number][] = [
    [fromVm && guards.control, does.control],
    [fromVm && guards.dhcpServer, does.dhcpServer],
    [fromVm && guards.routerAdvertisement, does.routerAdvertisement],
    [fromVm && guards.address, does.address],
    [numbers.accessList !== 0, does.list],
    [fromVm && Object.keys(policy.storm).length > 0, does.storm],
    [policy.rate[direction] !== undefined, does.rate],
    [numbers.tenant !== 0, does.tenantRate],
    [fromVm && marks, does.mark],
    [mirror !== null && numbers.mirrorPort !== 0 && concerns(mirror.direction, direction), does.mirror],
  ];
  return wanted.reduce((bits, [is, bit]) => (is ? bits | bit : bits), 0);
}
