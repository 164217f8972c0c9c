import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { z } from 'zod';
import { collections, collectionNames } from '../../../src/api/collections.ts';
import { lineOf, problemsOf } from '../../../src/api/explain.ts';
import { profileSchema } from '../../../src/api/profile.ts';
import { vsiSchema, vsiSpecSchema } from '../../../src/api/vsi.ts';
import {
  plainForwarding,
  type AccessList,
  type AccessRule,
  type PortProfile,
} from '../../../src/domain/port-profile.ts';
import { parseManagerId } from '../../../src/domain/manager-id.ts';
import { parseVid } from '../../../src/domain/vid.ts';

const line = (schema: z.ZodType, input: unknown) => {
  const { error } = schema.safeParse(input);
  assert(error, 'was taken');
  return lineOf(problemsOf(error, input)[0]!);
};

const web = { managerId: 'dc1', typeId: 17, typeVersion: 1, name: 'web', tenant: 'acme', vlan: 10 };
const withRule = (rule: object) => ({ ...web, accessList: { rules: [{ action: 'deny', ...rule }] } });
const withRate = (rate: object) => ({ ...web, rate: { toVm: rate } });

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

  it('has a burst of 25 ms, and of 16 KiB at least', () => {
    assert.deepEqual(profileSchema.parse(withRate({ max: 1e9 })).rate, {
      'to-vm': { max: 1e9, burst: 3_125_000 },
    });
    assert.deepEqual(profileSchema.parse(withRate({ max: 8000 })).rate, {
      'to-vm': { max: 8000, burst: 16_384 },
    });
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
