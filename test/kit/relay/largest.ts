import { profileSchema } from '../../../src/api/profile.ts';
import { tenantSchema } from '../../../src/api/tenant.ts';
import type { Tenant } from '../../../src/domain/tenant.ts';
import { limits } from '../../../src/domain/limits.ts';
import { policyOf, type Policy } from '../../../src/domain/port-profile.ts';

const rate = { max: limits.rate.most, burst: limits.mostBurst };
const rates = { fromVm: rate, toVm: rate };
const storm = { framesPerSecond: limits.mostStorm, burst: limits.mostStorm };
const setNames = Array.from({ length: limits.sets }, (_, i) => `${i}`.padStart(limits.nameOctets, 's'));
const prefixesPerSet = limits.allPrefixes / limits.sets;

const profile = {
  managerId: 'dc1',
  typeId: 0xffffff,
  typeVersion: 0xff,
  name: 'largest',
  tenant: 't'.repeat(limits.nameOctets),
  vlan: 4094,
  trunk: Array.from({ length: limits.trunk }, (_, i) => 4078 + i),
  rate: rates,
  storm: { broadcast: storm, multicast: storm, unknownUnicast: storm },
  marking: { dscp: 63, pcp: 7, defaultPcp: 7 },
  accessList: {
    otherwise: 'deny',
    rules: Array.from({ length: limits.rules }, (_, i) => ({
      action: 'allow',
      protocol: 'tcp',
      source: `@${setNames[i % limits.sets]}`,
      destinationPorts: String(i + 1),
    })),
    sets: Object.fromEntries(
      setNames.map((name, i) => [name, Array.from({ length: prefixesPerSet }, (_, k) => `10.${i}.${k}.1`)]),
    ),
  },
  mirror: {
    session: 'm'.repeat(limits.nameOctets),
    truncate: limits.truncate.most,
    sample: limits.sample.most,
  },
};

/** As people write it: as much of everything as the API takes. */
export const largestProfile: Readonly<Record<string, unknown>> = profile;
export const largestPolicy: Policy = policyOf(profileSchema.parse(profile));
export const largestTenant: Tenant = tenantSchema.parse({
  name: profile.tenant,
  rate: rates,
  guaranteed: limits.rate.most,
});
