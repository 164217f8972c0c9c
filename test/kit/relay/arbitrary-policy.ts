import * as fc from 'fast-check';
import { limits } from '../../../src/domain/limits.ts';
import { parseMac } from '../../../src/domain/mac-address.ts';
import type {
  AccessList,
  AccessRule,
  AddressMatch,
  IpPrefix,
  MacMatch,
  Mirror,
  Policy,
  RateLimit,
  StormLimit,
} from '../../../src/domain/port-profile.ts';
import { parseVid, type Vid } from '../../../src/domain/vid.ts';
import { macOf } from './states.ts';

/* What policies and frames are made of: few values, so that they meet. */
export const vlans = [10, 20, 30];
export const addresses4 = ['10.0.0.1', '10.0.1.1', '192.168.7.9'];
export const addresses6 = ['2001:db8::1', '2001:db8:0:1::1', 'fe80::1'];
/** that nobody was given */
export const linkLocals = [
  'fe80::1',
  'fe80::2',
  'fe80::3:1',
  'fe80::4:0:0:1',
  'fe80::5',
  'fe80::6',
  'fe80::ff:fe00:7',
];
export const services = [53, 67, 68, 80, 546, 547, 1000, 2000];
export const icmpTypes = [0, 8, 131, 132, 133, 134, 135, 136, 137, 143];
/** a query, and what hosts say */
export const igmpTypes = [0x11, 0x12, 0x16, 0x17, 0x22];
export const dscps = [0, 10, 46];
export const tenantNames = ['red', 'blue'];

/** Objects like those of the program. */
export function record<T>(model: { [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<T> {
  return fc.record<T>(model, { noNullPrototype: true });
}

/** Each of the fields is there one time in `of`; absent otherwise, as exactOptionalPropertyTypes wants it. */
export function some<T>(
  model: { [K in keyof T]-?: fc.Arbitrary<T[K]> },
  of: number,
): fc.Arbitrary<Partial<T>> {
  const absent = fc.constant({});
  const fields = (Object.entries(model) as [string, fc.Arbitrary<unknown>][]).map(([key, value]) =>
    fc.oneof(
      { arbitrary: absent, weight: of - 1 },
      { arbitrary: value.map((it) => ({ [key]: it })), weight: 1 },
    ),
  );
  return fc.tuple(...fields).map((parts) => Object.assign({}, ...parts) as Partial<T>);
}

const mac = fc.integer({ min: 1, max: 6 }).map(macOf);

const prefix: fc.Arbitrary<IpPrefix> = fc.oneof(
  record({ address: fc.constantFrom(...addresses4), length: fc.integer({ min: 0, max: 32 }) }),
  record({ address: fc.constantFrom(...addresses6), length: fc.integer({ min: 0, max: 128 }) }),
);
const setNames = ['web', 'all'];
const addressMatch: fc.Arbitrary<AddressMatch> = fc.oneof(
  { arbitrary: prefix, weight: 2 },
  { arbitrary: record({ set: fc.constantFrom(...setNames) }), weight: 1 },
);
const macMatch: fc.Arbitrary<MacMatch> = record({
  address: fc.oneof(mac, fc.constantFrom('ff:ff:ff:ff:ff:ff', '33:33:00:00:00:00')).map(parseMac),
  mask: fc
    .constantFrom('ff:ff:ff:ff:ff:ff', '01:00:00:00:00:00', 'ff:ff:00:00:00:03', '00:00:00:00:00:00')
    .map(parseMac),
});
const range = fc
  .tuple(fc.constantFrom(...services), fc.constantFrom(...services))
  .map(([x, y]) => ({ from: Math.min(x, y), to: Math.max(x, y) }));
export const direction = fc.constantFrom('from-vm' as const, 'to-vm' as const, 'both' as const);
const action = fc.constantFrom('allow' as const, 'deny' as const);
const vid: fc.Arbitrary<Vid> = fc.constantFrom(...vlans).map(parseVid);

type UpperFields = Pick<
  AccessRule,
  'protocol' | 'sourcePorts' | 'destinationPorts' | 'tcpEstablished' | 'icmpType'
>;

/** What a rule may ask of the segment beside each protocol. */
const upperFields: fc.Arbitrary<UpperFields> = fc
  .tuple(
    fc.constantFrom(0, 0, 1, 2, 6, 6, 17, 44, 51, 58, 60, 132),
    some<Pick<Required<AccessRule>, 'sourcePorts' | 'destinationPorts'>>(
      { sourcePorts: range, destinationPorts: range },
      2,
    ),
    fc.option(fc.constantFrom(...icmpTypes)),
    fc.boolean(),
  )
  .map(([protocol, ports, icmpType, tcpEstablished]) => ({
    ...(protocol && { protocol }),
    ...([6, 17, 132].includes(protocol) && ports),
    ...(protocol === 6 && tcpEstablished && { tcpEstablished }),
    ...([1, 58].includes(protocol) && icmpType !== null && { icmpType }),
  }));

const rule: fc.Arbitrary<AccessRule> = fc
  .tuple(
    record({ action, direction }),
    some<Omit<AccessRule, 'action' | 'direction' | keyof UpperFields>>(
      {
        sourceMac: macMatch,
        destinationMac: macMatch,
        etherType: fc.constantFrom(0x0800, 0x0806, 0x86dd, 0x88b5),
        vlan: vid,
        source: addressMatch,
        destination: addressMatch,
        dscp: fc.constantFrom(...dscps),
        fragment: fc.boolean(),
      },
      5,
    ),
    upperFields,
  )
  .map(([always, fields, upper]) => ({ ...always, ...fields, ...upper }));

/** Rules that decide nothing here, so that others come late in a long list. */
function fillers(count: number): AccessRule[] {
  return Array.from({ length: count }, (_, i) => ({
    action: i & 1 ? 'allow' : 'deny',
    direction: 'both',
    etherType: 0x9000 + i,
  }));
}

/** `most`: rules of one list */
function accessList(most: number): fc.Arbitrary<AccessList> {
  return fc
    .tuple(
      fc.array(rule, { maxLength: 6, size: 'max' }),
      fc.constantFrom(0, 0, 0, 0, 30, 62, 63, 64, 500).map((count) => Math.min(count, most - 6)),
      fc.array(prefix, { minLength: 1, maxLength: 3 }),
      fc.array(prefix, { minLength: 1, maxLength: 3 }),
      fc.constantFrom('allow' as const, 'allow' as const, 'deny' as const),
    )
    .map(([rules, count, web, all, otherwise]) => ({
      rules: rules.length ? [...rules.slice(0, 3), ...fillers(count), ...rules.slice(3)] : [],
      otherwise,
      sets: { web, all },
    }));
}

const limit: fc.Arbitrary<RateLimit> = fc.oneof(
  record({
    max: fc.integer({ min: limits.rate.least, max: limits.rate.most }),
    burst: fc.integer({ min: 1, max: 2 ** 24 }),
  }),
  record({ max: fc.constantFrom(8000, 1_000_000), burst: fc.constantFrom(1, 60, 200) }),
);
export const rates = some<{ 'from-vm': RateLimit; 'to-vm': RateLimit }>(
  { 'from-vm': limit, 'to-vm': limit },
  3,
);

const stormLimit: fc.Arbitrary<StormLimit> = record({
  framesPerSecond: fc.constantFrom(1, 1, 1000),
  burst: fc.constantFrom(1, 1, 3),
});

function mirror(most: number): fc.Arbitrary<Mirror> {
  return fc
    .tuple(
      record({ session: fc.constantFrom('probe', 'probe', 'elsewhere'), direction }),
      some<Pick<Mirror, 'filter' | 'truncate' | 'sample'>>(
        {
          filter: accessList(most),
          truncate: fc.constantFrom(14, 15, 40, 64, 128, 65_535),
          sample: fc.constantFrom(2, 3, 1_000_000),
        },
        3,
      ),
    )
    .map(([always, fields]) => ({ ...always, ...fields }));
}

const oftenFalse = fc.constantFrom(false, false, true);

/** Any policy with at most so many rules in a list. */
export function anyPolicy(mostRules: number): fc.Arbitrary<Policy> {
  return record({
    vlan: fc.constantFrom(10, 20).map(parseVid),
    trunk: fc.oneof(
      { arbitrary: fc.constant([]), weight: 2 },
      { arbitrary: fc.subarray(vlans.map(parseVid)), weight: 1 },
    ),
    tenant: fc.constantFrom(...tenantNames),
    rate: rates,
    storm: some<Required<Policy['storm']>>(
      { broadcast: stormLimit, multicast: stormLimit, 'unknown-unicast': stormLimit },
      2,
    ),
    accessList: accessList(mostRules),
    marking: record({
      dscp: fc.constantFrom('trust' as const, 'trust' as const, ...dscps),
      pcp: fc.constantFrom('trust' as const, 'trust' as const, 0, 5),
      defaultPcp: fc.constantFrom(0, 0, 3),
    }),
    guards: record({
      address: oftenFalse,
      dhcpServer: oftenFalse,
      routerAdvertisement: oftenFalse,
      control: oftenFalse,
    }),
    mirror: fc.option(mirror(mostRules), { freq: 3 }),
  }).map((policy) => ({ ...policy, trunk: policy.trunk.filter((vlan) => vlan !== policy.vlan) }));
}
