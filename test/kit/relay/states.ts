import { activeNetworkPorts } from '../../../src/bridge/core/network-ports.ts';
import { parseUnicastMac } from '../../../src/domain/mac-address.ts';
import {
  plainForwarding,
  type AccessRule,
  type Policy,
  type TenantLimits,
} from '../../../src/domain/port-profile.ts';
import { parseVid, type NullVid, type Vid } from '../../../src/domain/vid.ts';
import { parseVsiId, type VsiId } from '../../../src/domain/vsi-id.ts';
import {
  defaultAgeingTime,
  type Place,
  type RelayPort,
  type RelayState,
  type RelayVsi,
} from '../../../src/relay/contract/relay.ts';

/** The n-th VSI's identity and address. */
export function idOf(n: number): VsiId {
  return parseVsiId(`00000000-0000-4000-8000-${n.toString(16).padStart(12, '0')}`);
}

export function macOf(n: number): string {
  return `52:54:00:00:${(n >> 8).toString(16).padStart(2, '0')}:${(n & 255).toString(16).padStart(2, '0')}`;
}

export const permissive: Policy = {
  ...plainForwarding,
  vlan: parseVid(10),
  tenant: 'red',
};

export function at(port: string, wireVid = 0): Place {
  return { port, wireVid: wireVid as Vid | NullVid };
}

export interface VsiSpec {
  readonly active?: Place;
  readonly armed?: Place;
  readonly released?: Place;
  readonly policy?: Partial<Omit<Policy, 'vlan'>> & { readonly vlan?: number };
  readonly addresses?: readonly string[];
  readonly ips?: readonly string[];
  readonly label?: string;
}

/** The n-th VSI, permissive and in VLAN 10 unless told otherwise. */
export function vsi(n: number, spec: VsiSpec): RelayVsi {
  return {
    addresses: (spec.addresses ?? [macOf(n)]).map(parseUnicastMac),
    ips: spec.ips ?? [],
    policy: { ...permissive, ...spec.policy, vlan: parseVid(spec.policy?.vlan ?? 10) },
    places: { active: spec.active ?? null, armed: spec.armed ?? null, released: spec.released ?? null },
    label: spec.label ?? '',
  };
}

export const station: RelayPort = { kind: 'station', reflectiveRelay: true };

export function network(nativeVlan: number | null, ...vlans: number[]): RelayPort {
  return {
    kind: 'network',
    nativeVlan: nativeVlan === null ? null : parseVid(nativeVlan),
    vlans: vlans.map(parseVid),
  };
}

export function state(
  ports: Record<string, RelayPort>,
  vsis: Record<number, VsiSpec> = {},
  tenants: Record<string, TenantLimits> = {},
): RelayState {
  const all = new Map(Object.entries(ports));
  return {
    ports: all,
    vsis: new Map(Object.entries(vsis).map(([n, spec]) => [idOf(Number(n)), vsi(Number(n), spec)])),
    tenants: new Map(Object.entries(tenants)),
    networkPorts: activeNetworkPorts(all, () => true),
    ageingTime: defaultAgeingTime,
  };
}

/** A list that denies what `rule` describes and allows the rest, or the other way round. */
export function only(
  action: 'allow' | 'deny',
  rule: Partial<Omit<AccessRule, 'action'>>,
): Policy['accessList'] {
  return {
    rules: [{ direction: 'both', ...rule, action }],
    otherwise: action === 'allow' ? 'deny' : 'allow',
  };
}
