import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { unmarked, type AccessRule, type Policy } from '../../../../src/domain/port-profile.ts';
import { parseVid, type Vid } from '../../../../src/domain/vid.ts';
import { RelayError, type RelayState } from '../../../../src/relay/contract/relay.ts';
import { plain } from '../frames.ts';
import { at, network, only, state, station, type VsiSpec } from '../states.ts';
import { a, b, type Bench } from './bench.ts';

const plainStation = { kind: 'station', reflectiveRelay: true } as const;
const mirror = { session: 'probe', direction: 'both' } as const;

function one(policy: Partial<Omit<Policy, 'vlan'>>, spec: VsiSpec = {}): RelayState {
  return state({ s1: station }, { 1: { active: at('s1'), policy, ...spec } });
}

function rule(fields: Partial<Omit<AccessRule, 'action'>>): RelayState {
  return one({ accessList: only('deny', fields) });
}

function vids(from: number, count: number): Vid[] {
  return Array.from({ length: count }, (_, i) => parseVid(from + i));
}

function prefixes(count: number) {
  return Array.from({ length: count }, (_, i) => ({ address: `10.0.${i >> 8}.${i & 255}`, length: 32 }));
}

/** What no relay takes, and what it says of it. */
const refused: readonly [string, RelayState, RegExp][] = [
  ['a place at no port', state({}, { 1: { active: at('s1') } }), /s1 is no port/],
  [
    'a place at a network port',
    state({ n1: network(1) }, { 1: { active: at('n1') } }),
    /n1 is a network port/,
  ],
  [
    'a VLAN whose network port does not carry it',
    { ...state({ n1: network(1, 2) }), networkPorts: new Map([[parseVid(3), 'n1']]) },
    /VLAN 3: n1 is no network port that carries it/,
  ],
  [
    'a VLAN whose network port is a station port',
    { ...state({ s1: station }), networkPorts: new Map([[parseVid(3), 's1']]) },
    /VLAN 3: s1 is no network port that carries it/,
  ],
  ['no place', state({ s1: station }, { 1: {} }), /no place/],
  [
    'two places at one port',
    state({ s1: station }, { 1: { active: at('s1'), armed: at('s1', 2) } }),
    /on one port/,
  ],
  ['no address', state({ s1: station }, { 1: { active: at('s1'), addresses: [] } }), /0 addresses/],
  [
    'an address in a VLAN twice',
    state({ s1: station, s2: station }, { 1: { active: at('s1') }, 2: { active: at('s2'), addresses: [a] } }),
    /in VLAN 10 belongs to/,
  ],
  [
    'an address at a place twice',
    state(
      { s1: station },
      { 1: { active: at('s1') }, 2: { active: at('s1'), addresses: [a], policy: { vlan: 20 } } },
    ),
    /at s1, wire VID 0 belongs to/,
  ],
  [
    'a label of 256 octets',
    state({ s1: station }, { 1: { active: at('s1'), label: 'ä'.repeat(128) } }),
    /label/,
  ],
  [
    'a rate below 8000',
    state(
      { s1: station },
      { 1: { active: at('s1'), policy: { rate: { 'to-vm': { max: 7999, burst: 9000 } } } } },
    ),
    /max 7999/,
  ],
  [
    'a prefix that is none',
    state(
      { s1: station },
      {
        1: {
          active: at('s1'),
          policy: { accessList: only('deny', { source: { address: '10.0.0.1', length: 33 } }) },
        },
      },
    ),
    /10\.0\.0\.1\/33/,
  ],
  [
    'a session with two ports',
    state({ s1: { kind: 'mirror', session: 'x' }, s2: { kind: 'mirror', session: 'x' } }),
    /already has port s1/,
  ],
  ['a name of 16 octets', state({ interface1234567: station }), /1 to 15 octets/],
  ['a shaper below 8000', state({ s1: { ...plainStation, shaper: 7999 } }), /shaper 7999/],
  ['an ageing time below 10', { ...state({}), ageingTime: 9 }, /ageing time 9; it is 10 to 1000000/],
  [
    'a tenant with a rate below 8000',
    state({}, {}, { red: { rate: { 'to-vm': { max: 1, burst: 9000 } }, guaranteed: null } }),
    /tenant red: rate to-vm: max 1;/,
  ],
  ['a guarantee of nothing', state({}, {}, { red: { rate: {}, guaranteed: 0 } }), /guaranteed rate 0/],
  [
    '65 IP addresses',
    one({}, { ips: Array.from({ length: 65 }, (_, i) => `10.0.0.${i}`) }),
    /65 IP addresses/,
  ],
  ['an IP address that is none', one({}, { ips: ['10.0.0.256'] }), /"10\.0\.0\.256" is no IP address/],
  [
    'an IP address twice',
    one({}, { ips: ['2001:db8::1', '10.0.0.1', '2001:db8:0::1'] }),
    /IP address 2001:db8:0::1 is there twice/,
  ],
  ['a trunk of 17 VLANs', one({ trunk: vids(20, 17) }), /17 VLANs; 16/],
  ['a trunk with its own VLAN', one({ trunk: vids(10, 1) }), /10 is the VLAN of its own/],
  ['a trunk out of order', one({ trunk: vids(20, 2).toReversed() }), /20 is not above/],
  [
    'a trunk with the wire VID',
    state({ s1: station }, { 1: { active: at('s1', 20), policy: { trunk: vids(20, 1) } } }),
    /wire VID 20 belongs to it already/,
  ],
  [
    'an address in a trunk’s VLAN twice',
    state(
      { s1: station, s2: station },
      {
        1: { active: at('s1'), policy: { trunk: vids(20, 1) } },
        2: { active: at('s2'), addresses: [a], policy: { vlan: 20 } },
      },
    ),
    /in VLAN 20 belongs to/,
  ],
  [
    'a storm of nothing',
    one({ storm: { broadcast: { framesPerSecond: 0, burst: 1 } } }),
    /frames per second 0/,
  ],
  [
    'a storm without a burst',
    one({ storm: { multicast: { framesPerSecond: 1, burst: 0 } } }),
    /multicast: burst 0/,
  ],
  ['DSCP 64', one({ marking: { ...unmarked, dscp: 64 } }), /DSCP 64; it is 0 to 63/],
  ['PCP 8', one({ marking: { ...unmarked, pcp: 8 } }), /PCP 8; it is 0 to 7/],
  ['a default PCP of 8', one({ marking: { ...unmarked, defaultPcp: 8 } }), /default PCP 8/],
  [
    'a mirror cut to 13 octets',
    one({ mirror: { ...mirror, truncate: 13 } }),
    /truncate 13; it is 14 to 65535/,
  ],
  ['a mirror of 1 in 1', one({ mirror: { ...mirror, sample: 1 } }), /sample 1; it is 2 to 1000000/],
  [
    'a rule of its mirror',
    one({ mirror: { ...mirror, filter: only('allow', { dscp: 64 }) } }),
    /mirror filter: rule 1/,
  ],
  ['ports without a protocol', rule({ sourcePorts: { from: 1, to: 2 } }), /rule 1: ports go with/],
  [
    'ports that end before they begin',
    rule({ protocol: 6, sourcePorts: { from: 2, to: 1 } }),
    /sourcePorts to 1/,
  ],
  ['tcpEstablished of UDP', rule({ protocol: 17, tcpEstablished: true }), /tcpEstablished goes with/],
  ['an ICMP type of TCP', rule({ protocol: 6, icmpType: 8 }), /ICMP type goes with/],
  ['an EtherType that is a length', rule({ etherType: 0x05ff }), /EtherType 1535/],
  ['a set that is not there', rule({ source: { set: 'web' } }), /no set web/],
  [
    'a set of 1,025 prefixes',
    one({ accessList: { rules: [], otherwise: 'deny', sets: { web: prefixes(1025) } } }),
    /set web: 1025 prefixes/,
  ],
];

export function refusals({ apply, expect, relay, set }: Bench): void {
  describe('apply', () => {
    for (const [what, desired, message] of refused)
      it(`refuses ${what}, and leaves all as it was`, async () => {
        set({ 1: { active: at('s1') }, 2: { active: at('s2') } });
        const before = relay().held();
        assert.throws(
          () => apply(desired),
          (error) =>
            error instanceof RelayError && message.test(error.message) && !error.message.includes('\n'),
        );
        assert.deepEqual(relay().held(), before);
        await expect('s1', plain(b, a, 'still'), { s2: [plain(b, a, 'still')] });
      });
  });
}
