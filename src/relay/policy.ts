import type { Direction, Policy, RateLimit } from '../domain/port-profile.ts';
import type { RelayVsi } from './relay.ts';

/** Whether something that is said of one direction or both is said of this one. */
export function concerns(said: Direction | 'both', direction: Direction): boolean {
  return said === 'both' || said === direction;
}

/** Whether a copy for all will do for this VSI: its policy has nothing to say about frames to the VM. */
export function takesAnyCopy({ policy }: RelayVsi): boolean {
  return (
    policy.accessList.otherwise === 'allow' &&
    !policy.accessList.rules.some((rule) => concerns(rule.direction, 'to-vm')) &&
    !policy.rate['to-vm'] &&
    !(policy.mirror && concerns(policy.mirror.direction, 'to-vm'))
  );
}

/** The VLAN whose group frames the port's untagged VSIs can share one copy of; null if they cannot. */
export function sharedVlan(untagged: Iterable<RelayVsi>): Policy['vlan'] | null {
  let vlan: Policy['vlan'] | null = null;
  for (const vsi of untagged) {
    if (!takesAnyCopy(vsi) || (vlan ?? vsi.policy.vlan) !== vsi.policy.vlan) return null;
    vlan = vsi.policy.vlan;
  }
  return vlan;
}

/** A rate as the token bucket counts it: 1/16 ns per octet times 2^20, and the bucket's depth in 1/16 ns. */
export function bucketOf({ max, burst }: RateLimit): { cost: bigint; depth: bigint } {
  const cost = ((8_000_000_000n << 24n) + BigInt(max) / 2n) / BigInt(max);
  return { cost, depth: (BigInt(burst) * cost) >> 20n };
}
