import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseMac } from '../../../../src/domain/mac-address.ts';
import type { AccessList, AccessRule, IpPrefix } from '../../../../src/domain/port-profile.ts';
import { parseVid } from '../../../../src/domain/vid.ts';
import { arp, broadcast, discovery, ethernet, ipv4, ipv6, plain, type Segment } from '../frames.ts';
import { at, idOf, only } from '../states.ts';
import { a, b, outside, type Bench } from './bench.ts';

type Case = readonly [
  what: string,
  rule: Partial<Omit<AccessRule, 'action'>>,
  matched: Matched,
  frame: Uint8Array,
];
/** By which of an allow and a deny rule; "neither" if the frame is not what the rule describes. */
type Matched = 'both' | 'neither' | 'deny' | 'allow';

const ip4 = (segment: Segment) => ethernet(b, a, 0x0800, ipv4('10.0.0.1', '10.0.0.2', segment));
const ip6 = (segment: Segment, extensions: readonly number[] = []) =>
  ethernet(b, a, 0x86dd, ipv6('2001:db8::1', '2001:db8::2', segment, extensions));
const bare = (frame: Uint8Array, segment: number) => frame.subarray(0, 34 + segment);

const mac = (address: string, mask = 'ff:ff:ff:ff:ff:ff') => ({
  address: parseMac(address),
  mask: parseMac(mask),
});
const established = { protocol: 6, tcpEstablished: true } as const;
const echo = { protocol: 1, icmpType: 8 };
const ssh = { protocol: 6, destinationPorts: { from: 22, to: 22 } };
const endless = [60, 60, 60, 60, 60, 60, 60];

const cases: readonly Case[] = [
  ['a source MAC', { sourceMac: mac(a) }, 'both', plain(b, a, 'x')],
  ['another source MAC', { sourceMac: mac(b) }, 'neither', plain(b, a, 'x')],
  [
    'a masked MAC',
    { destinationMac: mac('52:54:00:00:00:00', 'ff:ff:ff:00:00:00') },
    'both',
    plain(b, a, 'x'),
  ],
  [
    'a MAC outside the mask',
    { destinationMac: mac('52:54:00:00:00:00', 'ff:ff:ff:00:00:ff') },
    'neither',
    plain(b, a, 'x'),
  ],
  ['the VLAN', { vlan: parseVid(10) }, 'both', plain(b, a, 'x')],
  ['another VLAN', { vlan: parseVid(20) }, 'neither', plain(b, a, 'x')],

  ['a segment with ACK', established, 'both', ip4({ protocol: 6, flags: 0x10, length: 20 })],
  ['a segment with RST, IPv6', established, 'both', ip6({ protocol: 6, flags: 0x04, length: 20 }, [0])],
  ['a SYN', established, 'neither', ip4({ protocol: 6, flags: 0x02, length: 20 })],
  ['flags that are cut off', established, 'deny', bare(ip4({ protocol: 6, flags: 0x02, length: 13 }), 13)],
  ['flags of UDP', established, 'neither', ip4({ octets: Array.from({ length: 20 }, () => 0xff) })],
  ['flags of a later fragment', established, 'allow', ip4({ protocol: 6, offset: 9 })],
  ['flags of an overlapping fragment', established, 'deny', ip4({ protocol: 6, offset: 1 })],

  ['an ICMP type', echo, 'both', ip4({ protocol: 1, type: 8 })],
  ['another ICMP type', echo, 'neither', ip4({ protocol: 1, type: 0 })],
  ['an ICMP type that is cut off', echo, 'deny', bare(ip4({ protocol: 1, type: 8 }), 0)],
  ['an ICMP type of a later fragment', echo, 'allow', ip4({ protocol: 1, type: 0, offset: 9 })],
  [
    'an ICMPv6 type',
    { protocol: 58, icmpType: 135 },
    'both',
    ethernet(b, a, 0x86dd, discovery('fe80::1', 135, 'fe80::2')),
  ],

  ['a DSCP, IPv4', { dscp: 46 }, 'both', ip4({ dscp: 46 })],
  ['a DSCP, IPv6', { dscp: 46 }, 'both', ip6({ dscp: 46 })],
  ['another DSCP', { dscp: 46 }, 'neither', ip6({ dscp: 45 })],
  ['DSCP 0 of what is not IP', { dscp: 0 }, 'neither', plain(b, a, 'x')],

  ['a first fragment', { fragment: true }, 'both', ip4({ more: true })],
  ['a later fragment', { fragment: true }, 'both', ip4({ offset: 9 })],
  ['a fragment, IPv6', { fragment: true }, 'both', ip6({ more: true }, [44])],
  ['no fragment', { fragment: true }, 'neither', ip4({})],
  ['a whole packet with a fragment header', { fragment: true }, 'neither', ip6({}, [44])],
  ['whole packets', { fragment: false }, 'both', ip6({})],
  ['a fragment among whole packets', { fragment: false }, 'neither', ip4({ more: true })],
  ['no fragment, for it is not IP', { fragment: false }, 'neither', arp(a, '10.0.0.1', '10.0.0.2')],
  ['a header chain that may hide a fragment', { fragment: true }, 'deny', ip6({}, endless)],
  ['a header chain that may hide none', { fragment: false }, 'deny', ip6({}, endless)],
  ['a header chain with a fragment in it', { fragment: true }, 'both', ip6({ more: true }, [44, ...endless])],

  ['ports that are cut off', ssh, 'deny', bare(ip4({ protocol: 6 }), 3)],
  ['ports that are cut off, but not of its protocol', ssh, 'neither', bare(ip4({ protocol: 17 }), 3)],
  ['ports in an endless header chain', ssh, 'deny', ip6({ protocol: 17 }, endless)],
  [
    'an endless header chain of another source',
    { ...ssh, source: { address: '::', length: 128 } },
    'neither',
    ip6({}, endless),
  ],
  ['the last header of an endless chain', { protocol: 60 }, 'deny', ip6({}, endless)],
  ['ports of SCTP', { ...ssh, protocol: 132 }, 'both', ip4({ protocol: 132, destinationPort: 22 })],
  [
    'two ports, one of them another',
    { ...ssh, sourcePorts: { from: 1, to: 9 } },
    'neither',
    ip4({ protocol: 6, destinationPort: 22 }),
  ],
];

export function accessFields({ set, expect, apply, relay, exchange, dropped }: Bench): void {
  const listWith = (
    action: 'allow' | 'deny',
    rule: Case[1],
    sets?: Record<string, readonly IpPrefix[]>,
  ): AccessList => ({ ...only(action, rule), ...(sets && { sets }) });

  async function judges(accessList: AccessList, frame: Uint8Array, passes: boolean): Promise<void> {
    const isGroup = (frame[0]! & 1) === 1;
    const others = isGroup
      ? ({
          s1: { kind: 'station', reflectiveRelay: true },
          s2: { kind: 'station', reflectiveRelay: true },
        } as const)
      : undefined;
    set({ 1: { active: at('s1'), policy: { accessList } }, 2: { active: at('s2') } }, others);
    await expect('s1', frame, passes ? { s2: [frame] } : {});
    set({ 1: { active: at('s1') }, 2: { active: at('s2'), policy: { accessList } } }, others);
    const own = frame.slice();
    if (isGroup) own.set([0x52, 0x54, 0, 0, 0, 2]);
    await expect('s1', frame, passes ? { s2: [own] } : {});
  }

  describe('the fields of a rule', () => {
    for (const [what, rule, matched, frame] of cases)
      it(`${what}: matched by ${matched === 'both' ? 'any rule' : matched === 'neither' ? 'none' : `${matched} rules only`}`, async () => {
        for (const action of ['allow', 'deny'] as const) {
          const matches = matched === 'both' || matched === action;
          await judges(listWith(action, rule), frame, matches === (action === 'allow'));
        }
      });

    it('a group frame to the VM is judged by its own destination', async () => {
      const accessList = only('deny', { direction: 'to-vm', destinationMac: mac(broadcast) });
      set({ 1: { active: at('s1') }, 2: { active: at('s2'), policy: { accessList } } });
      await exchange('s1', plain(broadcast, a, 'x'));
      assert.equal(dropped('access-list', { port: 's2', vsi: 2 }), 1);
      await expect('s1', plain(b, a, 'x'), { s2: [plain(b, a, 'x')] });
    });

    it('a named set is any of its prefixes, of both IP versions', async () => {
      const sets = {
        web: [
          { address: '10.1.0.0', length: 16 },
          { address: '2001:db8::', length: 32 },
          { address: '10.0.0.1', length: 32 },
        ],
        none: [],
      };
      for (const [name, source, matches] of [
        ['web', '10.0.0.1', true],
        ['web', '10.0.0.2', false],
        ['none', '10.0.0.1', false],
      ] as const)
        await judges(
          listWith('deny', { source: { set: name } }, sets),
          ethernet(b, a, 0x0800, ipv4(source, '10.9.9.9')),
          !matches,
        );
      await judges(listWith('allow', { destination: { set: 'web' } }, sets), ip6({}), true);
      await judges(listWith('allow', { destination: { set: 'web' } }, sets), plain(b, a, 'x'), false);
    });
  });

  describe('the frames of each rule', () => {
    const dns = { action: 'allow', direction: 'both', protocol: 17 } as const;
    const rules: AccessRule[] = [
      { ...dns, direction: 'from-vm', destinationPorts: { from: 53, to: 53 } },
      { action: 'deny', direction: 'both', etherType: 0x88b5 },
      dns,
    ];

    it('are counted by the rule that decided, in both directions, and last by none', async () => {
      set({
        1: { active: at('s1'), policy: { accessList: { rules, otherwise: 'allow' } } },
        2: { active: at('s2') },
      });
      const query = ip4({ destinationPort: 53 });
      await exchange('s1', query, query, ip4({}), plain(b, a, 'x'), ip4({ protocol: 6, length: 20 }));
      await exchange('s2', plain(a, b, 'x'), ethernet(a, b, 0x0800, ipv4('10.0.0.2', '10.0.0.1')));
      assert.deepEqual(relay().ruleFrames(idOf(1)), [2, 2, 2, 1]);
    });

    it('are not counted of a list without rules, nor of a VSI that is none', async () => {
      set({ 1: { active: at('s1') }, 2: { active: at('s2') } });
      await exchange('s1', plain(b, a, 'x'));
      assert.deepEqual(relay().ruleFrames(idOf(1)), [0]);
      assert.equal(relay().ruleFrames(idOf(9)), null);
    });

    it('count what has no readable IP header last, and go on while the list stays', async () => {
      const accessList: AccessList = { rules, otherwise: 'allow' };
      set({ 1: { active: at('s1'), policy: { accessList } }, 2: { active: at('s2') } });
      await exchange('s1', ethernet(b, a, 0x0800, Uint8Array.of(0x60)));
      assert.deepEqual(relay().ruleFrames(idOf(1)), [0, 0, 0, 1]);
      set({ 1: { active: at('s3'), policy: { accessList, tenant: 'blue' } }, 2: { active: at('s2') } });
      await exchange('s3', ip4({}));
      assert.deepEqual(relay().ruleFrames(idOf(1)), [0, 0, 1, 1]);
      set({
        1: { active: at('s3'), policy: { accessList: { rules, otherwise: 'deny' } } },
        2: { active: at('s2') },
      });
      assert.deepEqual(relay().ruleFrames(idOf(1)), [0, 0, 0, 0]);
      apply({ ...relay().held(), vsis: new Map() });
      assert.equal(relay().ruleFrames(idOf(1)), null);
    });

    it('do not count the one copy of a group frame for all of a port', async () => {
      const accessList: AccessList = {
        rules: [{ action: 'deny', direction: 'from-vm', vlan: parseVid(9) }],
        otherwise: 'allow',
      };
      set({ 1: { active: at('s1'), policy: { accessList } } });
      await exchange('n1', plain(broadcast, outside, 'x', 10));
      assert.deepEqual(relay().ruleFrames(idOf(1)), [0, 0]);
      await exchange('n1', plain(a, outside, 'x', 10));
      assert.deepEqual(relay().ruleFrames(idOf(1)), [0, 1]);
    });
  });
}
