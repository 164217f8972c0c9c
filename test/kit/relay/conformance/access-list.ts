import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ethernet, ipv4, ipv6, plain } from '../frames.ts';
import { at, only } from '../states.ts';
import { a, b, type Bench } from './bench.ts';

export function accessLists({ dropped, expect, set }: Bench): void {
  describe('the access list', () => {
    const udp = (payload: Uint8Array) => ethernet(b, a, 0x0800, payload);
    const udp6 = (payload: Uint8Array) => ethernet(b, a, 0x86dd, payload);
    const dns = { protocol: 17, destinationPorts: { from: 53, to: 53 } };
    const cases: [string, ReturnType<typeof only>, Uint8Array, boolean][] = [
      ['an ethertype', only('deny', { etherType: 0x88b5 }), plain(b, a, 'x'), false],
      ['another ethertype', only('deny', { etherType: 0x88b6 }), plain(b, a, 'x'), true],
      [
        'an IPv4 source',
        only('deny', { source: { address: '10.1.0.0', length: 16 } }),
        udp(ipv4('10.1.2.3', '10.9.9.9')),
        false,
      ],
      [
        'a source outside',
        only('deny', { source: { address: '10.1.0.0', length: 17 } }),
        udp(ipv4('10.1.200.3', '10.9.9.9')),
        true,
      ],
      [
        'an IPv4 destination',
        only('allow', { destination: { address: '10.9.9.9', length: 32 } }),
        udp(ipv4('10.1.2.3', '10.9.9.9')),
        true,
      ],
      [
        'any IPv4',
        only('deny', { source: { address: '0.0.0.0', length: 0 } }),
        udp6(ipv6('2001:db8::1', '2001:db8::2')),
        true,
      ],
      [
        'an IPv6 source',
        only('deny', { source: { address: '2001:db8::', length: 32 } }),
        udp6(ipv6('2001:db8::1', '2001:dead::2')),
        false,
      ],
      [
        'an IPv6 destination',
        only('deny', { destination: { address: '2001:db8:8000::', length: 33 } }),
        udp6(ipv6('2001:db8::1', '2001:db8::2')),
        true,
      ],
      [
        'a protocol',
        only('deny', { protocol: 6 }),
        udp(ipv4('10.0.0.1', '10.0.0.2', { protocol: 6, length: 20 })),
        false,
      ],
      ['another protocol', only('deny', { protocol: 6 }), udp(ipv4('10.0.0.1', '10.0.0.2')), true],
      [
        'a destination port',
        only('deny', dns),
        udp(ipv4('10.0.0.1', '10.0.0.2', { destinationPort: 53 })),
        false,
      ],
      ['another port', only('deny', dns), udp(ipv4('10.0.0.1', '10.0.0.2', { destinationPort: 54 })), true],
      [
        'a source port range',
        only('allow', { protocol: 6, sourcePorts: { from: 1000, to: 1999 } }),
        udp6(ipv6('fe80::1', 'fe80::2', { protocol: 6, sourcePort: 1999, length: 20 })),
        true,
      ],
      [
        'a port behind extension headers',
        only('deny', dns),
        udp6(ipv6('fe80::1', 'fe80::2', { destinationPort: 53 }, [0, 60, 43])),
        false,
      ],
      [
        'a first fragment',
        only('deny', dns),
        udp6(ipv6('fe80::1', 'fe80::2', { destinationPort: 53 }, [44])),
        false,
      ],
      [
        'a later fragment of what is allowed',
        only('allow', dns),
        udp(ipv4('10.0.0.1', '10.0.0.2', { offset: 100 })),
        true,
      ],
      [
        'a later fragment of what is denied',
        only('deny', dns),
        udp(ipv4('10.0.0.1', '10.0.0.2', { offset: 100 })),
        true,
      ],
      [
        'a later fragment, IPv6',
        only('allow', dns),
        udp6(ipv6('fe80::1', 'fe80::2', { offset: 100 }, [44])),
        true,
      ],
      [
        'a fragment that overlaps a TCP header',
        only('deny', { protocol: 6, destinationPorts: { from: 22, to: 22 } }),
        udp(ipv4('10.0.0.1', '10.0.0.2', { protocol: 6, offset: 1 })),
        false,
      ],
      [
        'an endless header chain',
        only('deny', { protocol: 6 }),
        udp6(ipv6('fe80::1', 'fe80::2', { protocol: 6, length: 20 }, [60, 60, 60, 60, 60, 60, 60])),
        false,
      ],
      [
        'an endless header chain, not allowed',
        only('allow', { protocol: 6 }),
        udp6(ipv6('fe80::1', 'fe80::2', { protocol: 6, length: 20 }, [60, 60, 60, 60, 60, 60, 60])),
        false,
      ],
      [
        'an IP header that is none',
        only('deny', { etherType: 0x0806 }),
        udp(Uint8Array.of(0x60, 1, 2)),
        false,
      ],
      ['frames that are not IP', only('deny', { protocol: 17 }), plain(b, a, 'x'), true],
    ];
    for (const [what, accessList, frame, passes] of cases)
      it(`${passes ? 'passes' : 'stops'} ${what}, from the VM and to the VM`, async () => {
        set({ 1: { active: at('s1'), policy: { accessList } }, 2: { active: at('s2') } });
        await expect('s1', frame, passes ? { s2: [frame] } : {});
        assert.equal(dropped('access-list', { port: 's1', vsi: 1 }), passes ? 0 : 1);
        set({ 1: { active: at('s1') }, 2: { active: at('s2'), policy: { accessList } } });
        await expect('s1', frame, passes ? { s2: [frame] } : {});
        assert.equal(dropped('access-list', { port: 's2', vsi: 2 }), passes ? 0 : 1);
      });

    it('goes by the first rule that matches', async () => {
      const rule = { direction: 'both', source: { address: '10.0.0.1', length: 32 } } as const;
      const frame = udp(ipv4('10.0.0.1', '10.0.0.2'));
      const filler = Array.from({ length: 61 }, () => ({
        action: 'deny' as const,
        direction: 'both' as const,
        etherType: 0x1234,
      }));
      for (const action of ['allow', 'deny'] as const) {
        const last = action === 'allow' ? ('deny' as const) : ('allow' as const);
        const rules = [...filler, { ...rule, action }, { ...rule, action: last }];
        set({
          1: { active: at('s1'), policy: { accessList: { rules, otherwise: last } } },
          2: { active: at('s2') },
        });
        await expect('s1', frame, action === 'allow' ? { s2: [frame] } : {});
      }
    });

    it('looks behind the 802.1Q tag, and tells the directions apart', async () => {
      const accessList = only('deny', { direction: 'from-vm', protocol: 17 });
      set({ 1: { active: at('s1', 7), policy: { accessList } }, 2: { active: at('s2') } });
      await expect('s1', ethernet(b, a, 0x0800, ipv4('10.0.0.1', '10.0.0.2'), 7), {});
      const back = ipv4('10.0.0.2', '10.0.0.1');
      await expect('s2', ethernet(a, b, 0x0800, back), { s1: [ethernet(a, b, 0x0800, back, 7)] });
    });
  });
}
