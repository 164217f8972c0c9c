import { Invalid } from '../base/invalid.ts';
import { parseMac, type MacAddress } from '../domain/mac-address.ts';
import { parseManagerId } from '../domain/manager-id.ts';
import { plainForwarding, type PortProfile } from '../domain/port-profile.ts';
import { parseVid } from '../domain/vid.ts';
import { parseVsiId, type VsiId } from '../domain/vsi-id.ts';

/** The lab's hosts, each cabled to one station port of the switch. */
export const hosts = [
  { name: 'h1', port: 'p1' },
  { name: 'h2', port: 'p2' },
] as const;
export type HostName = (typeof hosts)[number]['name'];

export const uplink = 'up0';
export const bridgeName = 'sw';
export const networkPort = 'n1';
export const mirrorPort = 'm1';
export const mirrorSession = 'tap';

export interface LabVmPlan {
  readonly name: string;
  readonly vsiId: VsiId;
  readonly mac: MacAddress;
  /** IPv4 address; the tenant's subnet is its first 24 bits */
  readonly address: string;
  readonly tenant: string;
  readonly profile: PortProfile;
  /** where it starts */
  readonly host: HostName;
}

const managerId = parseManagerId('lab');
const mbit = 1_000_000;

/** The peer lives in red's VLAN, outside of the switch, behind the network port. */
export const red: PortProfile = {
  ref: { managerId, typeId: 100, typeVersion: 1 },
  name: 'red servers',
  tenant: 'red',
  tagged: false,
  ...plainForwarding,
  vlan: parseVid(100),
  rate: {
    'from-vm': { max: 50 * mbit, burst: 256 * 1024 },
    'to-vm': { max: 50 * mbit, burst: 256 * 1024 },
  },
  accessList: {
    rules: [{ action: 'deny', direction: 'to-vm', protocol: 6, destinationPorts: { from: 23, to: 23 } }],
    otherwise: 'allow',
  },
  mirror: { session: mirrorSession, direction: 'both' },
};

export const blue: PortProfile = {
  ref: { managerId, typeId: 200, typeVersion: 1 },
  name: 'blue servers',
  tenant: 'blue',
  tagged: false,
  ...plainForwarding,
  vlan: parseVid(200),
};

export const profiles: readonly PortProfile[] = [red, blue];

/** Three VMs of two tenants, two of them on one host. */
export const vms: readonly LabVmPlan[] = [
  vm('a', red, '10.77.1.11', 'h1', 0x0a),
  vm('b', red, '10.77.1.12', 'h1', 0x0b),
  vm('c', blue, '10.77.1.13', 'h2', 0x0c),
];

export const peerAddress = '10.77.1.1';
/** of the lab's only subnet: both tenants use it, as tenants do, and do not hear each other */
export const prefixLength = 24;

/** @throws Invalid for a host that the lab does not have */
export function parseHost(value: string): HostName {
  const host = hosts.find(({ name }) => name === value);
  if (host) return host.name;
  throw new Invalid(`no host "${value}"; ${hosts.map(({ name }) => name).join(' or ')} would be right`);
}

/** The VM of that name among these, if the peer can hear it. @throws Invalid */
export function measurable<T extends { readonly plan: LabVmPlan }>(all: readonly T[], name: string): T {
  const vm = all.find(({ plan }) => plan.name === name);
  if (!vm) throw new Invalid(`no VM "${name}"; ${vms.map((plan) => plan.name).join(', ')} would be right`);
  if (vm.plan.profile.vlan !== red.vlan)
    throw new Invalid(
      `VM "${name}" cannot be measured: the peer is in VLAN ${red.vlan} and does not hear it`,
    );
  return vm;
}

function vm(name: string, profile: PortProfile, address: string, host: HostName, octet: number): LabVmPlan {
  const hex = octet.toString(16).padStart(2, '0');
  return {
    name,
    vsiId: parseVsiId(`4a1b0000-0000-4000-8000-0000000000${hex}`),
    mac: parseMac(`52:54:00:00:00:${hex}`),
    address,
    tenant: profile.tenant,
    profile,
    host,
  };
}
