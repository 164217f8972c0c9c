import * as fc from 'fast-check';
import { activeNetworkPorts } from '../../../src/bridge/core/network-ports.ts';
import { parseUnicastMac } from '../../../src/domain/mac-address.ts';
import type { Policy } from '../../../src/domain/port-profile.ts';
import { parseVid } from '../../../src/domain/vid.ts';
import type { VsiId } from '../../../src/domain/vsi-id.ts';
import type { Capabilities, Feature } from '../../../src/relay/contract/capabilities.ts';
import { claims } from '../../../src/relay/contract/checks.ts';
import {
  hostProtocols,
  type HostAccess,
  type HostProtocol,
  type RelayPort,
  type RelayState,
  type RelayVsi,
} from '../../../src/relay/contract/relay.ts';
import type { Aim } from './aim.ts';
import { anyFrame } from './arbitrary-frame.ts';
import { addresses4, addresses6, anyPolicy, rates, record, tenantNames } from './arbitrary-policy.ts';
import { at, idOf, macOf, network, vsi } from './states.ts';

const stations = ['s1', 's2', 's3'];
export const portNames = [...stations, 'n1', 'n2', 'm1'];

const wireVid = fc.constantFrom(0, 0, 0, 7);
const places = fc
  .tuple(
    fc.shuffledSubarray(stations, { minLength: 3, maxLength: 3 }),
    fc.tuple(wireVid, wireVid, wireVid),
    fc.constantFrom('a--', 'a--', 'a--', 'aA-', 'aAr', 'a-r', '-A-', '--r'),
  )
  .map(([ports, vids, roles]) => ({
    ...(roles.includes('a') && { active: at(ports[0]!, vids[0]) }),
    ...(roles.includes('A') && { armed: at(ports[1]!, vids[1]) }),
    ...(roles.includes('r') && { released: at(ports[2]!, vids[2]) }),
  }));

/** Its own address is one that frames have as their destination. */
const host: fc.Arbitrary<HostAccess> = record({
  vlan: fc.constantFrom(null, parseVid(10), parseVid(20), parseVid(40)),
  address: fc.constantFrom(...[macOf(3), macOf(40)].map(parseUnicastMac)),
  protocols: fc.subarray(Object.keys(hostProtocols) as HostProtocol[]),
});

const portSet: fc.Arbitrary<Map<string, RelayPort>> = fc
  .tuple(
    fc.tuple(...stations.map(() => fc.boolean())),
    fc.tuple(
      ...['n1', 'n2'].map(() =>
        fc.tuple(fc.constantFrom(null, 10, 30), fc.subarray([10, 20]), fc.option(host)),
      ),
    ),
    fc.boolean(),
    fc.constantFrom('probe', 'other'),
    fc.constantFrom('network', 'network', 'network', 'mirror', 'none'),
  )
  .map(([reflecting, trunks, reverse, session, second]) => {
    const networks = trunks.map(
      ([native, carried, host], i) =>
        [`n${i + 1}`, { ...network(native, ...carried), ...(host && { host }) }] as const,
    );
    const ports = new Map<string, RelayPort>([
      ...stations.map((name, i) => [name, { kind: 'station', reflectiveRelay: reflecting[i]! }] as const),
      ...(reverse ? networks.toReversed() : networks),
      ['m1', { kind: 'mirror', session }],
    ]);
    if (second === 'mirror') ports.set('n2', { kind: 'mirror', session: 'second' });
    if (second === 'none') ports.delete('n2');
    return ports;
  });

const tenants: fc.Arbitrary<RelayState['tenants']> = fc
  .tuple(...tenantNames.map((name) => fc.tuple(fc.constant(name), fc.option(rates))))
  .map(
    (pairs) =>
      new Map(pairs.flatMap(([name, rate]) => (rate ? [[name, { rate, guaranteed: null }] as const] : []))),
  );

/** Any state of six ports and up to eight VSIs that a relay with these capabilities can hold. */
export function anyState(capabilities: Capabilities): fc.Arbitrary<RelayState> {
  const spec = record({
    other: fc.option(fc.integer({ min: 1, max: 6 }), { freq: 4 }),
    places,
    policy: anyPolicy(capabilities.rules).map((policy) => within(policy, capabilities.features)),
    second: fc.boolean(),
    ips: fc.subarray([...addresses4, ...addresses6]),
    label: fc.string({ maxLength: 40, unit: 'grapheme' }),
  });
  return fc
    .tuple(portSet, fc.array(spec, { maxLength: 8, size: 'max' }), tenants, fc.constantFrom(10, 300))
    .map(([ports, specs, tenants, ageingTime]) => {
      const vsis = specs.map(({ other, places, policy, second, ips, label }, i): [VsiId, RelayVsi] => {
        const n = other ?? i + 1;
        const addresses = second ? [macOf(n), macOf(n + 16)] : [macOf(n)];
        return [idOf(i + 1), vsi(n, { ...places, policy, ips, label, addresses })];
      });
      const networkPorts = activeNetworkPorts(ports, () => true);
      return stateOf({ ports, vsis, tenants, networkPorts, ageingTime });
    });
}

/** The state of these parts, without a VSI that claims what one before it does. */
export function stateOf({
  vsis,
  tenants,
  ...rest
}: Omit<RelayState, 'vsis'> & { readonly vsis: readonly [VsiId, RelayVsi][] }): RelayState {
  const taken = new Set<string>();
  const held = new Map<VsiId, RelayVsi>();
  for (const [id, one] of vsis) {
    const wanted = [...claims(one)];
    if (new Set(wanted).size < wanted.length || wanted.some((claim) => taken.has(claim))) continue;
    for (const claim of wanted) taken.add(claim);
    held.set(id, one);
  }
  return { ...rest, vsis: held, tenants: withoutRaces(tenants, held) };
}

/**
 * No total to the VMs of a tenant that has two in one VLAN: which of them the last of it lets have a group frame is
 * nobody's business.
 */
function withoutRaces(tenants: RelayState['tenants'], vsis: RelayState['vsis']): RelayState['tenants'] {
  const members = new Set<string>();
  const racing = new Set<string>();
  for (const { policy } of vsis.values())
    for (const vlan of [policy.vlan, ...policy.trunk]) {
      const member = `${policy.tenant} ${vlan}`;
      if (members.has(member)) racing.add(policy.tenant);
      members.add(member);
    }
  return new Map(
    Array.from(tenants, ([name, { rate, guaranteed }]) => {
      const { 'to-vm': _, ...fromVm } = rate;
      return [name, { rate: racing.has(name) ? fromVm : rate, guaranteed }];
    }),
  );
}

/** The policy without what a relay of these features cannot do. */
function within(policy: Policy, features: ReadonlySet<Feature>): Policy {
  const { marking, guards, mirror } = policy;
  const keep = <T>(feature: Feature, value: T, otherwise: T): T =>
    features.has(feature) ? value : otherwise;
  return {
    ...policy,
    trunk: keep('trunk', policy.trunk, []),
    storm: keep('storm control', policy.storm, {}),
    marking: {
      dscp: keep('DSCP marking', marking.dscp, 'trust'),
      pcp: keep('PCP marking', marking.pcp, 'trust'),
      defaultPcp: keep('PCP marking', marking.defaultPcp, 0),
    },
    guards: {
      address: keep('address guard', guards.address, false),
      dhcpServer: keep('DHCP server guard', guards.dhcpServer, false),
      routerAdvertisement: keep('router advertisement guard', guards.routerAdvertisement, false),
      control: keep('control protocol guard', guards.control, false),
    },
    mirror:
      mirror &&
      keep(
        'mirror',
        { ...mirrorWithin(mirror, keep), session: mirror.session, direction: mirror.direction },
        null,
      ),
  };
}

function mirrorWithin(
  { filter, truncate, sample }: NonNullable<Policy['mirror']>,
  keep: <T>(feature: Feature, value: T, otherwise: T) => T,
) {
  return {
    ...(filter && keep('mirror filter', { filter }, {})),
    ...(truncate !== undefined && keep('mirror truncation', { truncate }, {})),
    ...(sample !== undefined && keep('mirror sampling', { sample }, {})),
  };
}

/**
 * The state without what makes forwarding depend on when frames come, without frames for the switch's stack, which tells
 * not of all of them, and with mirrors that cut no headers, which a kernel may or may not do.
 */
export function forRealLinks(state: RelayState): RelayState {
  const mirrorOf = ({ mirror }: Policy) =>
    mirror?.truncate ? { ...mirror, truncate: Math.max(mirror.truncate, 128) } : mirror;
  const withoutRates = ({ policy, ...vsi }: RelayVsi): RelayVsi => ({
    ...vsi,
    policy: { ...policy, rate: {}, storm: {}, mirror: mirrorOf(policy) },
  });
  const withoutHost = (port: RelayPort): RelayPort => {
    if (port.kind !== 'network') return port;
    const { host: _, ...rest } = port;
    return rest;
  };
  return {
    ...state,
    ports: new Map(Array.from(state.ports, ([name, port]) => [name, withoutHost(port)])),
    vsis: new Map(Array.from(state.vsis, ([id, vsi]) => [id, withoutRates(vsi)])),
    tenants: new Map(),
    ageingTime: 300,
  };
}

/** A frame for one of the ports; see `aimed`. */
export const anyArrival = record({ port: fc.constantFrom(...portNames), frame: anyFrame });

const number = fc.nat(255);

/** Most arrivals are to mean something in the state that they meet. */
export const anyAim: fc.Arbitrary<Aim> = record({
  sender: fc.option(number, { freq: 8 }),
  vid: number,
  receiver: fc.option(number, { freq: 3 }),
});
