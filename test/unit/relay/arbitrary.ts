import * as fc from 'fast-check';
import {
  unguarded,
  unmarked,
  type AccessRule,
  type IpPrefix,
  type Policy,
  type RateLimit,
} from '../../../src/domain/port-profile.ts';
import type { VsiId } from '../../../src/domain/vsi-id.ts';
import { claims } from '../../../src/relay/checks.ts';
import {
  defaultAgeingTime,
  type RelayPort,
  type RelayState,
  type RelayVsi,
} from '../../../src/relay/relay.ts';
import { broadcast, ethernet, ipv4, ipv6 } from './frames.ts';
import { at, idOf, macOf, network, vsi } from './states.ts';

const stations = ['s1', 's2', 's3'];
export const portNames = [...stations, 'n1', 'n2', 'm1'];
const vlans = [10, 20];
const addresses4 = ['10.0.0.1', '10.0.1.1', '192.168.7.9'];
const addresses6 = ['2001:db8::1', '2001:db8:0:1::1', 'fe80::1'];
const services = [53, 80, 1000, 2000];

/** Objects like those of the program. */
function record<T>(model: { [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<T> {
  return fc.record<T>(model, { noNullPrototype: true });
}

/** Absent or there, as exactOptionalPropertyTypes wants it. */
function optional<K extends string, T>(key: K, value: fc.Arbitrary<T>): fc.Arbitrary<{ [P in K]?: T }> {
  return fc.option(value).map((it) => (it === null ? {} : { [key]: it }) as { [P in K]?: T });
}

const prefix: fc.Arbitrary<IpPrefix> = fc.oneof(
  record({ address: fc.constantFrom(...addresses4), length: fc.integer({ min: 0, max: 32 }) }),
  record({ address: fc.constantFrom(...addresses6), length: fc.integer({ min: 0, max: 128 }) }),
);
const range = fc
  .tuple(fc.constantFrom(...services), fc.constantFrom(...services))
  .map(([x, y]) => ({ from: Math.min(x, y), to: Math.max(x, y) }));
const direction = fc.constantFrom('from-vm' as const, 'to-vm' as const, 'both' as const);

const rule: fc.Arbitrary<AccessRule> = fc
  .tuple(
    record({ action: fc.constantFrom('allow' as const, 'deny' as const), direction }),
    optional('etherType', fc.constantFrom(0x0800, 0x86dd, 0x88b5)),
    optional('source', prefix),
    optional('destination', prefix),
    optional('protocol', fc.constantFrom(1, 6, 17)),
    optional('sourcePorts', range),
    optional('destinationPorts', range),
  )
  .map((parts) => Object.assign({}, ...parts) as AccessRule);

const limit: fc.Arbitrary<RateLimit> = record({
  max: fc.integer({ min: 8000, max: 2 ** 40 }),
  burst: fc.integer({ min: 1, max: 2 ** 24 }),
});

/** what is not varied yet */
const plain = {
  trunk: fc.constant([]),
  tenant: fc.constant('red'),
  storm: fc.constant({}),
  marking: fc.constant(unmarked),
  guards: fc.constant(unguarded),
};

function policyWith(
  rates: fc.Arbitrary<Policy['rate']>,
): fc.Arbitrary<Omit<Policy, 'vlan'> & { vlan: number }> {
  return record({
    ...plain,
    vlan: fc.constantFrom(...vlans),
    rate: rates,
    accessList: record({
      rules: fc.array(rule, { maxLength: 4 }),
      otherwise: fc.constantFrom('allow' as const, 'allow' as const, 'deny' as const),
    }),
    mirror: fc.option(record({ session: fc.constantFrom('probe', 'elsewhere'), direction }), { freq: 3 }),
  });
}

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

const portSet: fc.Arbitrary<Map<string, RelayPort>> = fc
  .tuple(
    fc.tuple(...stations.map(() => fc.boolean())),
    fc.tuple(...['n1', 'n2'].map(() => fc.tuple(fc.constantFrom(null, 10, 30), fc.subarray(vlans)))),
    fc.constantFrom('probe', 'other'),
  )
  .map(
    ([reflecting, trunks, session]) =>
      new Map<string, RelayPort>([
        ...stations.map((name, i) => [name, { kind: 'station', reflectiveRelay: reflecting[i]! }] as const),
        ...trunks.map(([native, carried], i) => [`n${i + 1}`, network(native, ...carried)] as const),
        ['m1', { kind: 'mirror', session }],
      ]),
  );

function stateWith(rates: fc.Arbitrary<Policy['rate']>): fc.Arbitrary<RelayState> {
  const spec = record({
    n: fc.integer({ min: 1, max: 5 }),
    places,
    policy: policyWith(rates),
    second: fc.boolean(),
    label: fc.string({ maxLength: 40, unit: 'grapheme' }),
  });
  return fc.tuple(portSet, fc.array(spec, { maxLength: 8 })).map(([ports, specs]) => {
    const vsis = new Map<VsiId, RelayVsi>();
    const taken = new Set<string>();
    specs.forEach(({ n, places, policy, second, label }, i) => {
      const one = vsi(n, {
        ...places,
        policy,
        label,
        addresses: second ? [macOf(n), macOf(n + 16)] : [macOf(n)],
      });
      const wanted = [...claims(one)];
      if (wanted.some((claim) => taken.has(claim))) return;
      for (const claim of wanted) taken.add(claim);
      vsis.set(idOf(i + 1), one);
    });
    return { ports, vsis, tenants: new Map(), ageingTime: defaultAgeingTime };
  });
}

/** Any state of six ports and up to eight VSIs. */
export const anyState = stateWith(
  fc
    .tuple(optional('from-vm', limit), optional('to-vm', limit))
    .map((parts) => Object.assign({}, ...parts) as Policy['rate']),
);

/** Likewise, but forwarding does not depend on the time. */
export const timelessState = stateWith(fc.constant({}));

const mac = fc.integer({ min: 1, max: 6 }).map(macOf);
const segment = record({
  protocol: fc.constantFrom(1, 6, 17),
  sourcePort: fc.constantFrom(...services),
  destinationPort: fc.constantFrom(...services),
  offset: fc.constantFrom(0, 0, 0, 1, 100),
  length: fc.constantFrom(2, 8, 20),
});
const ip4 = fc.constantFrom(...addresses4);
const ip6 = fc.constantFrom(...addresses6);
const payload = fc.oneof(
  fc.tuple(ip4, ip4, segment).map(([from, to, it]) => [0x0800, ipv4(from, to, it)] as const),
  fc
    .tuple(ip6, ip6, segment, fc.array(fc.constantFrom(0, 43, 44, 60), { maxLength: 7 }))
    .map(([from, to, it, extensions]) => [0x86dd, ipv6(from, to, it, extensions)] as const),
  fc.tuple(fc.constantFrom(0x0800, 0x86dd, 0x88b5), fc.uint8Array({ maxLength: 60 })),
);

/** A frame into one of the ports, more often than not one that means something there. */
export const anyFrame = fc
  .tuple(
    fc.constantFrom(...portNames),
    fc.oneof(
      { arbitrary: mac, weight: 3 },
      { arbitrary: fc.constantFrom(broadcast, '33:33:00:00:00:01', '01:80:c2:00:00:0e'), weight: 1 },
    ),
    mac,
    payload,
    fc.constantFrom(undefined, undefined, 0xa000, 7, 0x600a, 20),
  )
  .map(([port, to, from, [etherType, body], tci]) => ({
    port,
    frame: ethernet(to, from, etherType, body, tci),
  }));
