import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { z } from 'zod';
import { collections, collectionNames } from '../../../src/api/collections.ts';
import { lineOf, problemsOf } from '../../../src/forms/explain.ts';
import { profileSchema } from '../../../src/api/profile.ts';
import { tenantSchema } from '../../../src/api/tenant.ts';
import { vsiSchema, vsiSpecSchema } from '../../../src/api/vsi.ts';
import {
  plainForwarding,
  type AccessList,
  type AccessRule,
  type PortProfile,
} from '../../../src/domain/port-profile.ts';
import { parseManagerId } from '../../../src/domain/manager-id.ts';
import { parseVid } from '../../../src/domain/vid.ts';
import { limits } from '../../../src/domain/limits.ts';
import { idOf, macOf } from '../../kit/relay/states.ts';
import { largestProfile } from '../../kit/relay/largest.ts';
import { checkRates } from '../../../src/relay/contract/policy-checks.ts';

const line = (schema: z.ZodType, input: unknown) => {
  const { error } = schema.safeParse(input);
  assert(error, 'was taken');
  return lineOf(problemsOf(error, input)[0]!);
};

const web = { managerId: 'dc1', typeId: 17, typeVersion: 1, name: 'web', tenant: 'acme', vlan: 10 };
const withRule = (rule: object) => ({ ...web, accessList: { rules: [{ action: 'deny', ...rule }] } });
const withRate = (rate: object) => ({ ...web, rate: { toVm: rate } });

describe('what no relay holds', () => {
  const { rate, storm, accessList, mirror } = largestProfile as Record<string, Record<string, any>>;
  const more = (key: string, value: unknown) => line(profileSchema, { ...largestProfile, [key]: value });

  it('is refused of a profile, where the most that one holds is taken', () => {
    assert.ok(profileSchema.safeParse(largestProfile).success);
    const { rules, sets } = accessList!;
    const list = (change: object) => more('accessList', { ...accessList, ...change });
    const refused = [
      list({ rules: [...rules, rules[0]] }),
      list({
        rules: [],
        sets: Object.fromEntries(Array.from({ length: 257 }, (_, i) => [`s${i}`, ['10.0.0.1']])),
      }),
      list({ sets: { ...sets, [Object.keys(sets)[0]!]: [...sets[Object.keys(sets)[0]!], '10.0.0.1'] } }),
      list({ rules: [], sets: { large: Array.from({ length: limits.prefixes + 1 }, () => '10.0.0.1') } }),
      more('trunk', [...(largestProfile['trunk'] as number[]), 1]),
      more('rate', { fromVm: { ...rate!['fromVm'], max: limits.rate.most + 1 } }),
      more('rate', { fromVm: { ...rate!['fromVm'], burst: limits.mostBurst + 1 } }),
      more('storm', { broadcast: { ...storm!['broadcast'], burst: limits.mostStorm + 1 } }),
      more('mirror', { ...mirror, truncate: limits.truncate.most + 1 }),
      more('mirror', { ...mirror, sample: limits.sample.most + 1 }),
      more('tenant', 't'.repeat(limits.nameOctets + 1)),
    ];
    assert.deepEqual(refused, [
      'accessList.rules: is a list of 1025; at most 1024 entries would be right',
      'accessList.sets: has too many sets; at most 256 would be right',
      'accessList.sets: has too many prefixes in all its sets; at most 16384 would be right',
      'accessList.sets.large: is a list of 1025; at most 1024 entries would be right',
      'trunk: is a list of 17; at most 16 entries would be right',
      'rate.fromVm.max: is 1000000000001; at most 1000000000000 would be right',
      'rate.fromVm.burst: is 2147483648; at most 2147483647 would be right',
      'storm.broadcast.burst: is 100000001; at most 100000000 would be right',
      'mirror.truncate: is 65536; at most 65535 would be right',
      'mirror.sample: is 1000001; at most 1000000 would be right',
      `tenant: "${'t'.repeat(64)}" is not a name; up to 63 letters, digits, ".", "_" and "-" are, like rack1-a`,
    ]);
  });

  it('is refused of a VSI', () => {
    const macs = Array.from({ length: limits.addresses + 1 }, (_, i) => macOf(i));
    const ips = Array.from({ length: limits.ips + 1 }, (_, i) => `10.0.0.${i}`);
    const spec = { vsiId: idOf(1), name: 'web-1', tenant: 'acme', macs: [macOf(1)], profile: 'dc1/17/1' };
    assert.equal(
      line(vsiSpecSchema, { ...spec, macs }),
      'macs: is a list of 65; at most 64 entries would be right',
    );
    assert.equal(
      line(vsiSpecSchema, { ...spec, ips }),
      'ips: is a list of 65; at most 64 entries would be right',
    );
  });
});

describe('a profile', () => {
  it('has defaults that let everything pass but what no VM has to send', () => {
    assert.deepEqual(profileSchema.parse(web), {
      ref: { managerId: 'dc1', typeId: 17, typeVersion: 1 },
      name: 'web',
      tenant: 'acme',
      tagged: false,
      ...plainForwarding,
      guards: { address: false, dhcpServer: true, routerAdvertisement: true, control: true },
      vlan: 10,
    });
  });

  it('has a burst of a second, of 16 KiB at least, and of what may be said at most', () => {
    for (const [max, burst] of [
      [1e9, 125_000_000],
      [8000, 16_384],
      [131_073, 16_385],
      [17_179_869_176, 2 ** 31 - 1],
      [1e12, 2 ** 31 - 1],
    ] as const) {
      const profile = profileSchema.parse(withRate({ max }));
      assert.deepEqual(profile.rate, { 'to-vm': { max, burst } });
      // what the manager writes out is read in again, and the relay takes it
      assert.deepEqual(profileSchema.parse(z.encode(profileSchema, profile)), profile);
      checkRates(profile.rate, 'rate');
    }
    assert.equal(
      line(profileSchema, withRate({ max: 0 })),
      'rate.toVm.max: is 0; at least 8000 would be right',
    );
    assert.equal(
      line(profileSchema, withRate({ max: 8000, burst: 64 })),
      'rate.toVm.burst: is 64; at least 1518 would be right',
    );
  });

  it('refuses a rule that cannot be, and says which key', () => {
    const path = 'accessList.rules.0';
    for (const [rule, message] of [
      [{ destinationPorts: 80 }, `${path}.protocol: has to go with ports; tcp, udp or sctp would be right`],
      [
        { destinationPorts: 80, protocol: 'icmp' },
        `${path}.protocol: has to go with ports; tcp, udp or sctp would be right`,
      ],
      [
        { source: '10.0.0.0/8', destination: '::/0' },
        `${path}.destination: is of another IP version than source; two IPv4 or two IPv6 prefixes would be right`,
      ],
      [
        { source: '10.0.0.0/8', etherType: 'ipv6' },
        `${path}.etherType: never goes with this rule's IP fields; leaving it out would be right`,
      ],
      [
        { protocol: 'udp', etherType: 'arp' },
        `${path}.etherType: never goes with this rule's IP fields; leaving it out would be right`,
      ],
      [{ direction: 'in' }, `${path}.direction: is "in"; "from-vm", "to-vm" or "both" would be right`],
      [
        { dst: 'x' },
        `${path}.dst: is not a known key; action, direction, sourceMac, destinationMac, etherType, vlan, source, destination, protocol, sourcePorts, destinationPorts, tcpEstablished, icmpType, dscp, fragment would be right`,
      ],
    ] as const)
      assert.equal(line(profileSchema, withRule(rule)), message);
    profileSchema.parse(withRule({ protocol: 'tcp', etherType: 'ipv6', sourcePorts: '1-2' }));
    profileSchema.parse(withRule({ source: '::1', etherType: 'ipv6' }));
  });

  it('refuses what it cannot say, and says which key and what would be right', () => {
    const rule = (fields: object) => ({ accessList: { rules: [{ action: 'deny', ...fields }] } });
    const at = 'accessList.rules.0';
    for (const [change, message] of [
      [{ trunk: [0] }, 'trunk.0: VLAN 0 does not exist; a VLAN identifier is 1 to 4094'],
      [{ trunk: [5, 5] }, 'trunk: has a VLAN twice; each once would be right'],
      [{ trunk: [10] }, "trunk: has the profile's own vlan; the other VLANs only would be right"],
      [
        { trunk: Array.from({ length: 17 }, (_, i) => 20 + i) },
        'trunk: is a list of 17; at most 16 entries would be right',
      ],
      [{ tagged: 'yes' }, 'tagged: is "yes"; true or false would be right'],
      [
        { storm: { broadcast: { framesPerSecond: 0 } } },
        'storm.broadcast.framesPerSecond: is 0; at least 1 would be right',
      ],
      [
        { storm: { 'unknown-unicast': { framesPerSecond: 1 } } },
        'storm.unknown-unicast: is not a known key; broadcast, multicast, unknownUnicast would be right',
      ],
      [{ marking: { dscp: 64 } }, 'marking.dscp: is 64; at most 63 would be right'],
      [{ marking: { pcp: 'best' } }, 'marking.pcp: is "best"; "trust" or a number would be right'],
      [{ marking: { defaultPcp: 8 } }, 'marking.defaultPcp: is 8; at most 7 would be right'],
      [
        { guards: { dhcp: true } },
        'guards.dhcp: is not a known key; address, dhcpServer, routerAdvertisement, control would be right',
      ],
      [{ mirror: { session: 'ids', truncate: 13 } }, 'mirror.truncate: is 13; at least 14 would be right'],
      [{ mirror: { session: 'ids', sample: 1 } }, 'mirror.sample: is 1; at least 2 would be right'],
      [
        { mirror: { session: 'ids', filter: { rules: [{ action: 'copy' }] } } },
        'mirror.filter.rules.0.action: is "copy"; "allow" or "deny" would be right',
      ],
      [
        { accessList: { sets: { '-x': ['::/0'] } } },
        'accessList.sets.-x: "-x" is not a name; up to 63 letters, digits, ".", "_" and "-" are, like rack1-a',
      ],
      [
        { accessList: { sets: { web: ['10.0.0.1/8'] } } },
        'accessList.sets.web.0: "10.0.0.1/8" has bits beyond its prefix; 10.0.0.0/8 would be right',
      ],
      [
        { accessList: { rules: [{ action: 'deny', source: '@wob' }], sets: { web: ['::/0'] } } },
        `${at}.source: @wob is not among the list's sets; @web would be right`,
      ],
      [rule({ sourceMac: '52:54' }), `${at}.sourceMac: "52:54" is not a MAC address like 52:54:00:00:00:0a`],
      [
        rule({ sourceMac: '52:54:00:00:00:01/ff:ff:ff:00:00:00' }),
        `${at}.sourceMac: "52:54:00:00:00:01/ff:ff:ff:00:00:00" has bits beyond its mask; 52:54:00:00:00:00/ff:ff:ff:00:00:00 would be right`,
      ],
      [rule({ vlan: 0 }), `${at}.vlan: VLAN 0 does not exist; a VLAN identifier is 1 to 4094`],
      [
        rule({ tcpEstablished: true, protocol: 'udp' }),
        `${at}.protocol: has to go with tcpEstablished; tcp would be right`,
      ],
      [rule({ tcpEstablished: false }), `${at}.tcpEstablished: is false; true would be right`],
      [rule({ icmpType: 8 }), `${at}.protocol: has to go with icmpType; icmp or icmpv6 would be right`],
      [rule({ icmpType: 256, protocol: 'icmp' }), `${at}.icmpType: is 256; at most 255 would be right`],
      [rule({ dscp: -1 }), `${at}.dscp: is -1; at least 0 would be right`],
      [
        rule({ fragment: true, etherType: 'arp' }),
        `${at}.etherType: never goes with this rule's IP fields; leaving it out would be right`,
      ],
    ] as const)
      assert.equal(line(profileSchema, { ...web, ...change }), message);
  });

  it('comes back from JSON, whatever it is', () => {
    fc.assert(
      fc.property(anyProfile, (profile) => {
        const json = JSON.parse(JSON.stringify(z.encode(profileSchema, profile)));
        assert.deepEqual(profileSchema.parse(json), structuredClone(profile)); // the clone has ordinary prototypes
      }),
    );
  });

  it('is never half-parsed: junk is refused, and nothing throws', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (junk) => {
        for (const name of collectionNames)
          assert.equal(collections[name].schema.safeParse(junk).success, false);
      }),
    );
  });
});

describe('a tenant', () => {
  it('has no limits by default', () => {
    assert.deepEqual(tenantSchema.parse({ name: 'acme' }), { name: 'acme', rate: {}, guaranteed: null });
  });

  it('has a guarantee within what it may have', () => {
    const limits = (fromVm: number, toVm: number, guaranteed: number) => ({
      name: 'acme',
      rate: { fromVm: { max: fromVm }, toVm: { max: toVm } },
      guaranteed,
    });
    assert.equal(tenantSchema.parse(limits(8000, 9000, 9000)).guaranteed, 9000, 'in one direction');
    assert.equal(
      line(tenantSchema, limits(8000, 9000, 9001)),
      'guaranteed: is 9001, and by its rate the tenant may have 9000; at most that would be right',
    );
    assert.equal(line(tenantSchema, limits(8000, 9000, 5)), 'guaranteed: is 5; at least 8000 would be right');
    assert.equal(
      line(tenantSchema, { name: 'acme', rate: { max: 9000 } }),
      'rate.max: is not a known key; fromVm, toVm would be right',
    );
  });
});

describe('a VSI', () => {
  const vsi = {
    vsiId: 'fa9b7fff-b0a0-4893-8e0e-beef4ff18f8f',
    name: 'vm 1',
    tenant: 'acme',
    macs: ['52:54:00:00:00:01'],
    profile: 'dc1/17/1',
  };

  it('has no status until a bridge gives it one, and the administrator may leave it in what he edits', () => {
    assert.deepEqual(vsiSchema.parse(vsi), { ...vsi, status: null });
    assert.equal(vsiSpecSchema.safeParse({ ...vsi, status: { association: 'whatever' } }).success, true);
  });

  it('has at least one address, each once', () => {
    assert.equal(
      line(vsiSchema, { ...vsi, macs: [] }),
      'macs: is an empty list; at least 1 entries would be right',
    );
    assert.equal(
      line(vsiSchema, { ...vsi, macs: ['52:54:00:00:00:01', '52-54-00-00-00-01'] }),
      'macs: has an address twice; each once would be right',
    );
    assert.deepEqual(vsiSchema.parse({ ...vsi, ips: ['10.0.0.1', '2001:DB8::0:1'] }).ips, [
      '10.0.0.1',
      '2001:db8::1',
    ]);
    assert.equal(
      line(vsiSchema, { ...vsi, ips: ['::1', '0::1'] }),
      'ips: has an address twice; each once would be right',
    );
    assert.equal(
      line(vsiSchema, { ...vsi, ips: ['10.0.0.0/8'] }),
      'ips.0: "10.0.0.0/8" is not an IP address; 10.0.0.1 or 2001:db8::1 would be right',
    );
    assert.equal(
      line(vsiSchema, { ...vsi, macs: ['ff:ff:ff:ff:ff:ff'] }),
      'macs.0: "ff:ff:ff:ff:ff:ff" is a group address; a VM NIC needs a unicast one',
    );
  });
});

const port = fc.integer({ min: 0, max: 65535 });
const range = fc.tuple(port, port).map(([a, b]) => ({ from: Math.min(a, b), to: Math.max(a, b) }));
const anyRule: fc.Arbitrary<AccessRule> = fc
  .record(
    {
      action: fc.constantFrom('allow' as const, 'deny' as const),
      direction: fc.constantFrom('from-vm' as const, 'to-vm' as const, 'both' as const),
      source: fc.constantFrom({ address: '10.0.0.0', length: 8 }, { address: '192.0.2.1', length: 32 }),
      destination: fc.constant({ address: '198.51.100.0', length: 24 }),
      protocol: fc.constantFrom(6, 17, 132),
      sourcePorts: range,
      destinationPorts: range,
    },
    { requiredKeys: ['action', 'direction', 'protocol'] },
  )
  .chain((rule) =>
    fc.constantFrom<AccessRule>(
      rule,
      { ...rule, etherType: 0x0800 },
      { action: rule.action, direction: rule.direction, etherType: 0x88b7 },
      { action: rule.action, direction: rule.direction, protocol: 200 },
    ),
  );
const rateLimit = fc.record({
  max: fc.integer({ min: 8000, max: 1e12 }),
  burst: fc.integer({ min: 1518, max: 2 ** 31 - 1 }),
});
const stormLimit = fc.record({
  framesPerSecond: fc.integer({ min: 1, max: 1e8 }),
  burst: fc.integer({ min: 1, max: 1e8 }),
});
const accessList: fc.Arbitrary<AccessList> = fc.record({
  rules: fc.array(anyRule, { maxLength: 5 }),
  otherwise: fc.constantFrom('allow' as const, 'deny' as const),
});
const anyProfile: fc.Arbitrary<PortProfile> = fc.record({
  ref: fc.record({
    managerId: fc.constantFrom('dc1', '0x0c', '0x0001').map(parseManagerId),
    typeId: fc.integer({ min: 0, max: 0xffffff }),
    typeVersion: fc.integer({ min: 0, max: 255 }),
  }),
  name: fc.string({ minLength: 1, maxLength: 64 }).filter((text) => !/\p{Cc}/u.test(text)),
  tenant: fc.constantFrom('acme', 'a.b-c_9'),
  vlan: fc.integer({ min: 1, max: 4 }).map(parseVid),
  trunk: fc
    .uniqueArray(fc.integer({ min: 5, max: 4094 }).map(parseVid), { maxLength: 16 })
    .map((vlans) => vlans.toSorted((a, b) => a - b)),
  tagged: fc.boolean(),
  rate: fc.record({ 'from-vm': rateLimit, 'to-vm': rateLimit }, { requiredKeys: [] }),
  storm: fc.record(
    { broadcast: stormLimit, multicast: stormLimit, 'unknown-unicast': stormLimit },
    { requiredKeys: [] },
  ),
  accessList,
  marking: fc.record({
    dscp: fc.oneof(fc.constant('trust' as const), fc.integer({ min: 0, max: 63 })),
    pcp: fc.oneof(fc.constant('trust' as const), fc.integer({ min: 0, max: 7 })),
    defaultPcp: fc.integer({ min: 0, max: 7 }),
  }),
  guards: fc.record({
    address: fc.boolean(),
    dhcpServer: fc.boolean(),
    routerAdvertisement: fc.boolean(),
    control: fc.boolean(),
  }),
  mirror: fc.option(
    fc.record(
      {
        session: fc.constant('ids'),
        direction: fc.constantFrom('both' as const, 'to-vm' as const),
        filter: accessList,
        truncate: fc.integer({ min: 14, max: 65_535 }),
        sample: fc.integer({ min: 2, max: 1_000_000 }),
      },
      { requiredKeys: ['session', 'direction'] },
    ),
  ),
});
