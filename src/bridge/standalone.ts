import type { Tenant } from '../api/tenant.ts';
import type { VsiSpec } from '../api/vsi.ts';
import type { PortProfile } from '../domain/port-profile.ts';
import { FileDirectory } from './file-directory.ts';
import type { Source } from './source.ts';

/** A bridge without a manager, whose configuration file says all there is to know. */
export function standalone(
  tenants: readonly Tenant[],
  profiles: readonly PortProfile[],
  vsis: readonly VsiSpec[],
): Source {
  const directory = new FileDirectory(profiles, vsis);
  return {
    directory,
    report() {},
    changed() {},
    follow(agent) {
      agent.tenantsChanged(new Map(tenants.map((tenant) => [tenant.name, tenant])));
      for (const profile of profiles) agent.profileChanged(profile);
      for (const { vsiId, ips = [] } of vsis) agent.ipsChanged(vsiId, ips);
      agent.listed();
    },
    close: () => Promise.resolve(),
  };
}
