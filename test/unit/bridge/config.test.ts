import assert from 'node:assert/strict';
import { test } from 'node:test';
import { lineOf, problemsOf } from '../../../src/forms/explain.ts';
import { bridgeConfig } from '../../../src/bridge/config/config.ts';

const tenant = { name: 'red', guaranteed: 1_000_000 };
const profile = { managerId: 'dc1', typeId: 17, typeVersion: 1, name: 'web', tenant: 'red', vlan: 100 };
const vsi = {
  vsiId: 'fa9b7fff-b0a0-4893-8e0e-beef4ff18f8f',
  name: 'web1',
  tenant: 'red',
  macs: ['52:54:00:00:00:0a'],
  profile: 'dc1/17/1',
};
const standalone = {
  name: 'sw',
  stateDirectory: '/run/sw',
  ports: { p1: { kind: 'station', shaper: 1_000_000 } },
  tenants: [tenant],
  profiles: [profile],
  vsis: [vsi],
};

test('a bridge without a manager has all that one would tell it', () => {
  const { tenants, profiles, vsis, ageingTime, ports } = bridgeConfig.parse(standalone);
  assert.deepEqual(tenants, [{ name: 'red', rate: {}, guaranteed: 1_000_000 }]);
  assert.equal(profiles?.[0]?.tenant, 'red');
  assert.deepEqual(vsis, [vsi]);
  assert.equal(ageingTime, 300);
  assert.deepEqual(ports['p1'], {
    kind: 'station',
    shaper: 1_000_000,
    secondStation: 'ignore',
    placeHold: 120,
  });
  const { tenants: _, ...without } = standalone;
  assert.equal(bridgeConfig.parse(without).tenants, undefined);
});

test("a network port's stack and a host's own traffic are declared at their ports", () => {
  const host = { macs: ['52:54:00:00:00:77'], vlan: 10 };
  const { ports } = bridgeConfig.parse({
    ...standalone,
    ports: {
      p1: { kind: 'station', host },
      n1: { kind: 'network', nativeVlan: 10, hostVlan: 30, hostProtocols: ['lacp'] },
    },
  });
  const { host: declared } = ports['p1'] as Extract<(typeof ports)[string], { kind: 'station' }>;
  assert.deepEqual(declared, { ...host, tagged: false });
  const { hostVlan, hostProtocols } = ports['n1'] as Extract<(typeof ports)[string], { kind: 'network' }>;
  assert.deepEqual([hostVlan, hostProtocols], [30, ['lacp']]);
});

const host = { macs: ['52:54:00:00:00:77'], vlan: 10 };
const guarded = { ...profile, guards: { address: true } };
const refusals: [object, string][] = [
  [
    { manager: 'unix:/run/m.sock', profiles: undefined, vsis: undefined },
    'manager: is given beside tenants, profiles and vsis; either of the two would be right',
  ],
  [
    { ports: { p1: { kind: 'station', host }, p2: { kind: 'station', host } } },
    "ports.p2.host.macs: has 52:54:00:00:00:77, which is the host's at p1; an address of the host's own would be right",
  ],
  [
    { ports: { p1: { kind: 'station', host: { ...host, macs: vsi.macs } } } },
    "ports.p1.host.macs: has 52:54:00:00:00:0a, which is VSI fa9b7fff-b0a0-4893-8e0e-beef4ff18f8f's; an address of the host's own would be right",
  ],
  [
    { ports: { p1: { kind: 'station', host: { ...host, macs: [...host.macs, ...host.macs] } } } },
    "ports.p1.host.macs: has 52:54:00:00:00:77, which is the host's at p1; an address of the host's own would be right",
  ],
  [{ tenants: [tenant, tenant] }, 'tenants.1.name: red is there twice; once would be right'],
  [
    { tenants: [{ ...tenant, guaranteed: 1_000_001 }] },
    'ports.p1.shaper: is 1000000, and the tenants are guaranteed 1000001 together; at least that would be right',
  ],
  [
    { tenants: [{ ...tenant, vlans: [99, '200-299'] }] },
    "profiles.0.vlan: VLAN 100 is not tenant red's; one of its own (99, 200-299) would be right",
  ],
  [
    { vsis: [{ ...vsi, tenant: 'blue' }] },
    "vsis.0.tenant: is blue, and profile dc1/17/1 is red's; the same tenant would be right",
  ],
  [
    { profiles: [guarded] },
    "vsis.0.ips: has no address, and profile dc1/17/1 guards addresses; the VM's IP addresses would be right",
  ],
  [
    { vsis: [{ ...vsi, profile: 'dc1/18/1' }] },
    'vsis.0.profile: dc1/18/1 is not among the profiles; dc1/17/1 would be right',
  ],
  [
    { vsis: [vsi, { ...vsi, vsiId: 'fa9b7fff-b0a0-4893-8e0e-beef4ff18f90' }] },
    "vsis.1.macs: address 52:54:00:00:00:0a is VSI fa9b7fff-b0a0-4893-8e0e-beef4ff18f8f's (web1) in VLAN 100; another one would be right",
  ],
  [
    {
      profiles: [profile, { ...profile, typeId: 18, vlan: 200, trunk: [100] }],
      vsis: [vsi, { ...vsi, vsiId: 'fa9b7fff-b0a0-4893-8e0e-beef4ff18f90', profile: 'dc1/18/1' }],
    },
    "vsis.1.macs: address 52:54:00:00:00:0a is VSI fa9b7fff-b0a0-4893-8e0e-beef4ff18f8f's (web1) in VLAN 100; another one would be right",
  ],
  [{ evb: { dialects: ['ratified', 'ratified'] } }, 'evb.dialects: has one twice; each once would be right'],
  [
    { ports: { ...standalone.ports, n1: { kind: 'network', vlans: [10, 10] } } },
    'ports.n1.vlans: has a VLAN twice; each once would be right',
  ],
  [
    { ports: { ...standalone.ports, n1: { kind: 'network', nativeVlan: 10, vlans: [10] } } },
    "ports.n1.vlans: has the port's own nativeVlan; the other VLANs only would be right",
  ],
  [
    { profiles: [{ ...profile, mirror: { session: 'tap' } }] },
    'profiles.0.mirror.session: tap has no port; a mirror port of that session would be right',
  ],
  [
    {
      ports: { ...standalone.ports, m1: { kind: 'mirror', session: 'tap' } },
      profiles: [{ ...profile, mirror: { session: 'tab' } }],
    },
    'profiles.0.mirror.session: tab has no port; tap would be right',
  ],
  [{ token: 'secret' }, 'token: is given without a manager; a manager, or none, would be right'],
  [
    { control: `/${'c'.repeat(107)}` },
    "control: has 108 octets; a socket's path of at most 107 would be right",
  ],
  [
    { stateDirectory: `/${'s'.repeat(94)}` },
    'stateDirectory: is so long that the path of its control.sock has 108 octets, of 107; a shorter one, or a control of its own, would be right',
  ],
  ...[
    'http://mgr:notaport',
    'http://mgr:7470/v1',
    'mgr:7470',
    'unix:run/m.sock',
    `unix:/${'m'.repeat(107)}`,
  ].map((manager): [object, string] => [
    { manager, tenants: undefined, profiles: undefined, vsis: undefined },
    `manager: is "${manager}"; http://HOST:PORT or unix:/PATH would be right`,
  ]),
];

test('a manager may be named as one names a web site', () => {
  const { tenants: _, profiles: __, vsis: ___, ...managed } = standalone;
  for (const manager of ['http://mgr:7470', 'http://mgr:7470/', 'http://[::1]:7470', 'unix:/run/m.sock'])
    assert.equal(bridgeConfig.parse({ ...managed, manager }).manager, manager);
});

test('what does not fit together is refused by name', () => {
  for (const [change, line] of refusals) {
    const { error } = bridgeConfig.safeParse({ ...standalone, ...change });
    assert.ok(error, line);
    assert.ok(problemsOf(error).map(lineOf).includes(line), problemsOf(error).map(lineOf).join('\n'));
  }
  bridgeConfig.parse({ ...standalone, profiles: [guarded], vsis: [{ ...vsi, ips: ['10.0.0.1'] }] });
});
