import type { TenantLimits } from './port-profile.ts';
import type { VlanRange } from './vlan-range.ts';

/** Who owns port profiles and VSIs, and what all its VSIs on one bridge get together. */
export interface Tenant extends TenantLimits {
  readonly name: string;
  /** the VLANs that its profiles may have; absent: any */
  readonly vlans?: readonly VlanRange[];
}
