import type { ApiClient } from '../client/client.ts';
import { unlimited } from '../domain/port-profile.ts';
import { profileKey } from '../domain/profile-ref.ts';
import { profiles, vms } from './scenario.ts';

/** Enters the scenario's tenants, profiles and VSIs, as the administrator does. */
export async function populate(api: ApiClient): Promise<void> {
  for (const name of new Set(profiles.map(({ tenant }) => tenant)))
    await api.put('tenants', { name, ...unlimited });
  for (const profile of profiles) await api.put('profiles', profile);
  for (const { vsiId, name, tenant, mac, profile } of vms)
    await api.put('vsis', { vsiId, name, tenant, macs: [mac], profile: profileKey(profile.ref) });
}
