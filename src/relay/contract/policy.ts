import type { Direction, Policy, RateLimit, StormLimit, TenantLimits } from '../../domain/port-profile.ts';
import type { PortName, RelayVsi } from './relay.ts';

/** Whether something that is said of one direction or both is said of this one. */
export function concerns(said: Direction | 'both', direction: Direction): boolean {
  return said === 'both' || said === direction;
}

export type Tenants = ReadonlyMap<string, TenantLimits>;

/** Whether a copy for all will do for this VSI: neither its policy nor its tenant's says anything about frames to the VM. */
function takesAnyCopy({ policy }: RelayVsi, tenants: Tenants): boolean {
  return (
    policy.accessList.otherwise === 'allow' &&
    !policy.accessList.rules.some((rule) => concerns(rule.direction, 'to-vm')) &&
    !policy.rate['to-vm'] &&
    !tenants.get(policy.tenant)?.rate['to-vm'] &&
    !(policy.mirror && concerns(policy.mirror.direction, 'to-vm'))
  );
}

/** A VSI that has an untagged place at a port: a VEPA there hands it each copy for all. */
export interface Occupant {
  readonly vsi: RelayVsi;
  /** whether it is active at the port; else it is to have no copy */
  readonly isActive: boolean;
}

/** The untagged places of a VSI. */
export function* occupancies(vsi: RelayVsi): Generator<Occupant & { readonly port: PortName }> {
  const { active, armed, released } = vsi.places;
  for (const place of [active, armed, released])
    if (place?.wireVid === 0) yield { vsi, port: place.port, isActive: place === active };
}

/** Whether a copy for all at the port will do for this one. */
export function shares({ vsi, isActive }: Occupant, tenants: Tenants): boolean {
  return isActive && takesAnyCopy(vsi, tenants);
}

/** The VLAN whose group frames the port's untagged VSIs can share one copy of; null if they cannot. */
export function sharedVlan(untagged: Iterable<Occupant>, tenants: Tenants): Policy['vlan'] | null {
  let vlan: Policy['vlan'] | null = null;
  for (const one of untagged) {
    const its = one.vsi.policy.vlan;
    if (!shares(one, tenants) || (vlan ?? its) !== its) return null;
    vlan = its;
  }
  return vlan;
}

/** A storm limit as `bucketOf` has it, with a frame for an octet. */
export function stormBucketOf({ framesPerSecond, burst }: StormLimit): { cost: bigint; depth: bigint } {
  return bucketOf({ max: framesPerSecond * 8, burst });
}

/** A rate as the token bucket counts it: 1/16 ns per octet times 2^20, and the bucket's depth in 1/16 ns, never none. */
export function bucketOf({ max, burst }: RateLimit): { cost: bigint; depth: bigint } {
  const cost = ((8_000_000_000n << 24n) + BigInt(max) / 2n) / BigInt(max);
  const depth = (BigInt(burst) * cost) >> 20n;
  return { cost, depth: depth || 1n };
}
