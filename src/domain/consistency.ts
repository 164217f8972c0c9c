import type { MacAddress } from './mac-address.ts';
import { vlansOf, type PortProfile } from './port-profile.ts';
import { profileKey } from './profile-ref.ts';
import type { Tenant } from './tenant.ts';
import type { Vid } from './vid.ts';
import { vlansOutside, vlansText } from './vlan-range.ts';
import type { VsiSpec } from './vsi.ts';

/** What of an object does not go with another one; the message says what would be right. */
export interface Contradiction<Field extends string = string> {
  readonly field: Field;
  readonly message: string;
}

/** A profile cannot bring its VSIs into another tenant's VLANs. */
export function* ofProfileAndTenant(
  profile: PortProfile,
  { name, vlans }: Pick<Tenant, 'name' | 'vlans'>,
): Generator<Contradiction<'vlan' | 'trunk'>> {
  const [outside] = vlansOutside(vlans, vlansOf(profile));
  if (vlans && outside !== undefined)
    yield {
      field: outside === profile.vlan ? 'vlan' : 'trunk',
      message: `VLAN ${outside} is not tenant ${name}'s; one of its own (${vlansText(vlans)}) would be right`,
    };
}

/** A VSI has its own tenant's profile, and what the address guard compares with is known before the guard is on. */
export function* ofVsiAndProfile(
  { tenant, ips }: Pick<VsiSpec, 'tenant' | 'ips'>,
  profile: PortProfile,
): Generator<Contradiction<'tenant' | 'ips'>> {
  const key = profileKey(profile.ref);
  if (profile.tenant !== tenant)
    yield {
      field: 'tenant',
      message: `is ${tenant}, and profile ${key} is ${profile.tenant}'s; the same tenant would be right`,
    };
  if (profile.guards.address && !ips?.length)
    yield {
      field: 'ips',
      message: `has no address, and profile ${key} guards addresses; the VM's IP addresses would be right`,
    };
}

/** The VLAN in which both are. An address is one VSI's in a VLAN, because a relay finds a frame's VSI by both. */
export function sharedVlan(a: PortProfile, b: PortProfile): Vid | undefined {
  return vlansOf(b).find((vlan) => vlansOf(a).includes(vlan));
}

/** That another VSI has the address in that VLAN. */
export function addressTaken(
  mac: MacAddress,
  vlan: Vid,
  { vsiId, name }: Pick<VsiSpec, 'vsiId' | 'name'>,
): string {
  return `address ${mac} is VSI ${vsiId}'s (${name}) in VLAN ${vlan}; another one would be right`;
}
