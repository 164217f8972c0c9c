import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { unguarded, type Guards } from '../../../../src/domain/port-profile.ts';
import type { Feature } from '../../../../src/relay/contract/capabilities.ts';
import type { DropReason } from '../../../../src/domain/drop-reason.ts';
import {
  behind,
  arp,
  broadcast,
  discovery,
  ethernet,
  ipv4,
  ipv6,
  linkLocalOf,
  plain,
  protocols,
  rarp,
  snapped,
} from '../frames.ts';
import { at, macOf, only } from '../states.ts';
import { a, b, hex, type Bench } from './bench.ts';

const { udp, tcp, igmp, icmpv6 } = protocols;
const allNodes = '33:33:00:00:00:01';
const own4 = '10.0.0.1';
const own6 = '2001:db8::1';
const linkLocal = linkLocalOf(a);

const ip4 = (packet: Uint8Array) => ethernet(b, a, 0x0800, packet);
const ip6 = (packet: Uint8Array) => ethernet(allNodes, a, 0x86dd, packet);
const length = (payload: number[]) => ethernet(b, a, payload.length, Uint8Array.from(payload));
const endless = [60, 60, 60, 60, 60, 60, 60];
/** a frame that ends where its payload does, be it short */
const cut = (frame: Uint8Array, octets: number) => frame.subarray(0, 14 + octets);

interface Theme {
  readonly feature: Feature;
  readonly guard: Partial<Guards>;
  readonly reason: DropReason;
  readonly drops: Record<string, Uint8Array>;
  readonly passes: Record<string, Uint8Array>;
}

const control: Theme = {
  feature: 'control protocol guard',
  guard: { control: true },
  reason: 'guard-control',
  drops: {
    'a BPDU to another address': length([0x42, 0x42, 3, 0, 0]),
    MVRP: plain('01:80:c2:00:00:21', a, 'by its address'),
    CFM: plain('01:80:c2:00:00:30', a, 'by its address'),
    'bridge management': plain('01:80:c2:00:00:10', a, 'by its address'),
    CDP: plain('01:00:0c:cc:cc:cc', a, 'by its address'),
    'PVST+': plain('01:00:0c:cc:cc:cd', a, 'by its address'),
    'LLDP in SNAP': snapped(ethernet(b, a, 0x88cc)),
    'CDP to another address, as a group’s': length([0xab, 0xaa, 3, 0, 0, 12, 0x20, 0]),
    'CDP to another address': length([0xaa, 0xaa, 3, 0, 0, 12, 0x20, 0]),
    ...Object.fromEntries(
      [0x88cc, 0x8940, 0x88b7, 0x8809, 0x8808, 0x88f5, 0x88f6, 0x8902, 0x888e].map((etherType) => [
        `EtherType ${etherType.toString(16)}`,
        ethernet(b, a, etherType),
      ]),
    ),
  },
  passes: {
    'other groups': plain(broadcast, a, 'all'),
    'other frames with a length': length([0xaa, 0xaa, 3, 0, 0, 0, 8, 0]),
    'an IP packet': ip4(ipv4(own4, '10.0.0.2')),
  },
};

const dhcp: Theme = {
  feature: 'DHCP server guard',
  guard: { dhcpServer: true },
  reason: 'guard-dhcp',
  drops: {
    ...Object.fromEntries(
      [1067, 68, 53, 6767].map((sourcePort) => [
        `UDP to port 68, from ${sourcePort}`,
        ip4(ipv4(own4, '255.255.255.255', { sourcePort, destinationPort: 68 })),
      ]),
    ),
    'UDP to port 546': ip6(ipv6(own6, own6, { destinationPort: 546 })),
    'UDP to port 68 behind authentication headers': ip4(ipv4(own4, '10.0.0.2', { destinationPort: 68 }, 2)),
    'UDP to port 546 behind one': ip6(ipv6(own6, own6, { destinationPort: 546 }, [51])),
    'a server to a relay': ip4(ipv4(own4, '10.0.0.2', { sourcePort: 67, destinationPort: 67 })),
    'UDP whose ports are behind its IPv4 packet’s end': ip4(ipv4(own4, '10.0.0.2', { total: 22 })),
    'an IPv4 packet shorter than its header': ip4(ipv4(own4, '10.0.0.2', { total: 10 })),
    'IPv4 in SNAP': snapped(ip4(ipv4(own4, '10.0.0.2'))),
    'an endless chain of authentication headers': ip4(ipv4(own4, '10.0.0.2', {}, 7)),
    'UDP from port 67': ip4(ipv4(own4, '10.0.0.2', { sourcePort: 67, destinationPort: 68 })),
    'UDP from port 547, behind extension headers': ip6(ipv6(own6, own6, { sourcePort: 547 }, [0, 60])),
    'the first fragment of one': ip4(ipv4(own4, '10.0.0.2', { sourcePort: 67, more: true })),
    'UDP whose ports are behind the packet’s end': ip6(
      ipv6(own6, own6, { sourcePort: 546, more: true, payload: 16 }, [44, 60]),
    ),
    'UDP without its ports': cut(ip4(ipv4(own4, '10.0.0.2')), 22),
    'an IP header that is none': ip4(Uint8Array.of(0x60, 1, 2)),
    'an endless header chain': ip6(ipv6(own6, own6, {}, endless)),
  },
  passes: {
    'a client that renews, from a port of its own': ip4(ipv4(own4, '10.0.0.2', { destinationPort: 67 })),
    ESP: ip4(ipv4(own4, '10.0.0.2', { protocol: 50, octets: [0, 67, 0, 68, 0, 67, 0, 68] })),
    'the other version’s client port': ip4(ipv4(own4, '10.0.0.2', { destinationPort: 546 })),
    'UDP with octets to port 68 behind its end': ip4(
      ipv4(own4, '10.0.0.2', { total: 24, octets: [3, 232, 7, 208, 0, 68, 0, 68, 0, 68] }),
    ),
    'ARP in SNAP': snapped(arp(a, own4, '10.0.0.2')),
    'a client': ip4(ipv4('0.0.0.0', '255.255.255.255', { sourcePort: 68, destinationPort: 67 })),
    'an IPv6 client': ip6(ipv6(linkLocal, 'ff02::1:2', { sourcePort: 546, destinationPort: 547 })),
    'TCP from port 67': ip4(ipv4(own4, '10.0.0.2', { protocol: tcp, sourcePort: 67, length: 20 })),
    'a later fragment': ip4(ipv4(own4, '10.0.0.2', { sourcePort: 67, offset: 10 })),
    'the other version’s port': ip4(ipv4(own4, '10.0.0.2', { sourcePort: 547 })),
    ARP: arp(a, own4, '10.0.0.2'),
  },
};

const router: Theme = {
  feature: 'router advertisement guard',
  guard: { routerAdvertisement: true },
  reason: 'guard-ra',
  drops: {
    'a router advertisement': ip6(discovery(linkLocal, 134)),
    'a redirect': ip6(discovery(linkLocal, 137, own6)),
    'one behind extension headers': ip6(discovery(linkLocal, 134, null, { extensions: [0, 60, 43] })),
    'one behind a fragment header': ip6(discovery(linkLocal, 134, null, { extensions: [44] })),
    'one behind an authentication header': ip6(discovery(linkLocal, 134, null, { extensions: [51] })),
    'one in SNAP': snapped(ip6(discovery(linkLocal, 134))),
    'one in SNAP of bridges': snapped(ip6(discovery(linkLocal, 134)), { oui: [0, 0, 0xf8] }),
    'one in SNAP with a wrong length': snapped(ip6(discovery(linkLocal, 134)), { length: 3 }),
    'one in SNAP with another control field': snapped(ip6(discovery(linkLocal, 134)), {
      llc: [0xab, 0xaa, 0],
    }),
    'an endless header chain': ip6(ipv6(own6, own6, {}, endless)),
    'ICMPv6 without a type': cut(ip6(discovery(linkLocal, 134)), 40),
    'an IPv6 header that is none': ip6(Uint8Array.of(0x45, 1, 2)),
  },
  passes: {
    'a router solicitation': ip6(discovery(linkLocal, 133)),
    'a neighbour solicitation': ip6(discovery(linkLocal, 135, own6)),
    'a later fragment': ip6(ipv6(own6, own6, { protocol: icmpv6, type: 134, offset: 10 }, [44])),
    'UDP that begins with that octet': ip6(ipv6(own6, own6, { octets: [134, 0, 0, 0, 0, 8, 0, 0] })),
    IPv4: ip4(ipv4(own4, '10.0.0.2', { protocol: icmpv6, type: 134 })),
    'an IPv4 header that is none': ip4(Uint8Array.of(0x60, 1, 2)),
  },
};

const address: Theme = {
  feature: 'address guard',
  guard: { address: true },
  reason: 'guard-address',
  drops: {
    'ARP in SNAP': snapped(arp(a, own4, '10.0.0.3')),
    'IPv4 in SNAP': snapped(ip4(ipv4(own4, '10.0.0.3'))),
    'IPv6 in SNAP': snapped(ip6(ipv6(own6, own6)), { oui: [0, 0, 0xf8] }),
    'an IPv4 packet shorter than its header': ip4(ipv4(own4, '10.0.0.3', { total: 19 })),
    'a question about groups without an address': ip4(
      ipv4('0.0.0.0', '224.0.0.1', { protocol: igmp, type: 0x11 }),
    ),
    'a question to listeners without an address': ip6(discovery('::', 130, null, { extensions: [0] })),
    'another IPv4 source': ip4(ipv4('10.0.0.2', '10.0.0.3')),
    'another IPv6 source': ip6(ipv6('2001:db8::2', own6)),
    'another’s link-local address': ip6(ipv6(linkLocalOf(b), own6)),
    'no IPv4 source yet, but no DHCP': ip4(ipv4('0.0.0.0', '10.0.0.2')),
    'no IPv6 source yet, but no discovery': ip6(ipv6('::', own6)),
    'ARP for another address': arp(a, '10.0.0.2', '10.0.0.3'),
    'ARP with another hardware address': arp(a, own4, '10.0.0.3', { hardware: b }),
    'an ARP answer without an address': arp(a, '0.0.0.0', '10.0.0.3', { operation: 2 }),
    'ARP that is cut short': cut(arp(a, own4, '10.0.0.3'), 27),
    'ARP of another network': ethernet(broadcast, a, 0x0806, Uint8Array.of(0, 6, 8, 0, 6, 4, 0, 1)),
    'an advertisement of another address': ip6(discovery(own6, 136, '2001:db8::2')),
    'an advertisement without an address': ip6(discovery('::', 136, own6)),
    'an advertisement that is cut short': cut(ip6(discovery(own6, 136, own6)), 40 + 23),
    'detection of another’s address': ip6(discovery('::', 135, '2001:db8::2')),
    'a solicitation from another': ip6(discovery('2001:db8::2', 135, own6)),
    'a router solicitation from another': ip6(discovery('2001:db8::2', 133)),
    'an IP header that is none': ip4(Uint8Array.of(0x60, 1, 2)),
    'an endless header chain': ip6(ipv6(own6, own6, {}, endless)),
  },
  passes: {
    'its IPv4 address': ip4(ipv4(own4, '10.0.0.3')),
    'its IPv6 address': ip6(ipv6(own6, own6)),
    'a later fragment of its': ip6(ipv6(own6, own6, { offset: 10 }, [44])),
    'its link-local address': ip6(ipv6(linkLocal, own6)),
    DHCP: ip4(ipv4('0.0.0.0', '255.255.255.255', { sourcePort: 68, destinationPort: 67 })),
    'ARP for its address': arp(a, own4, '10.0.0.3'),
    'an ARP answer': arp(a, own4, '10.0.0.3', { operation: 2 }),
    'an ARP probe': arp(a, '0.0.0.0', own4),
    RARP: rarp(a),
    'an advertisement of its address': ip6(discovery(linkLocal, 136, own6)),
    'a question for another': ip6(discovery(own6, 135, '2001:db8::2')),
    'detection of its address': ip6(discovery('::', 135, own6)),
    'detection of its link-local address': ip6(discovery('::', 135, linkLocal)),
    ...Object.fromEntries(
      [0x12, 0x16, 0x17, 0x22].map((type) => [
        `IGMP ${type.toString(16)} without an address`,
        ip4(ipv4('0.0.0.0', '224.0.0.22', { protocol: igmp, type })),
      ]),
    ),
    'a listener that leaves, without an address': ip6(discovery('::', 132, null, { extensions: [0] })),
    'its IPv4 address behind an authentication header': ip4(ipv4(own4, '10.0.0.3', {}, 1)),
    'what is not IP, in SNAP': snapped(plain(b, a, 'x')),
    'a listener report without an address': ip6(discovery('::', 143, null, { extensions: [0] })),
    'a router solicitation without one': ip6(discovery('::', 133)),
    'what is not IP': plain(b, a, 'x'),
  },
};

export function guards({ set, exchange, expect, dropped, itIfAble }: Bench): void {
  const sender = { active: at('s1'), ips: [own4, own6] };
  const receiver = { active: at('s2') };

  for (const { feature, guard, reason, drops, passes } of [control, dhcp, router, address])
    describe(`the ${feature}`, () => {
      for (const [what, frame] of Object.entries(drops))
        itIfAble(feature, `drops ${what}`, async () => {
          set({ 1: { ...sender, policy: { guards: { ...unguarded, ...guard } } }, 2: receiver });
          await expect('s1', frame, {});
          assert.equal(dropped(reason, { port: 's1', vsi: 1 }), 1);
          assert.equal(dropped(reason, { port: 's1' }), 1);
        });
      for (const [what, frame] of Object.entries(passes))
        itIfAble(feature, `passes ${what}`, async () => {
          set({ 1: { ...sender, policy: { guards: { ...unguarded, ...guard } } }, 2: receiver });
          assert.deepEqual((await exchange('s1', frame)).get('s2')?.map(hex), [hex(frame)]);
        });
      itIfAble(feature, 'looks behind the 802.1Q tag', async () => {
        const [frame] = Object.values(drops);
        const tagged = behind([0x8100, 7], frame!);
        const policy = { guards: { ...unguarded, ...guard } };
        set({ 1: { ...sender, active: at('s1', 7), policy }, 2: receiver });
        await expect('s1', tagged, {});
        assert.equal(dropped(reason, { port: 's1', vsi: 1 }), 1);
      });
    });

  describe('the guards', () => {
    it('pass all that nobody guards against', async () => {
      for (const { drops } of [control, dhcp, router, address])
        for (const frame of Object.values(drops)) {
          set({ 1: sender, 2: receiver });
          assert.deepEqual((await exchange('s1', frame)).get('s2')?.map(hex), [hex(frame)]);
        }
    });

    itIfAble(
      'DHCP server guard',
      'come before the access list, and are not for frames to the VM',
      async () => {
        const policy = {
          guards: { ...unguarded, dhcpServer: true },
          accessList: only('deny', { direction: 'from-vm', protocol: udp }),
        };
        const offer = ip4(ipv4(own4, '10.0.0.2', { sourcePort: 67 }));
        set({ 1: { ...sender, policy }, 2: receiver });
        await expect('s1', offer, {});
        assert.equal(dropped('guard-dhcp', { port: 's1', vsi: 1 }), 1);
        assert.equal(dropped('access-list', { port: 's1', vsi: 1 }), 0);
        const answer = ethernet(a, b, 0x0800, ipv4('10.0.0.2', own4, { sourcePort: 67 }));
        await expect('s2', answer, { s1: [answer] });
      },
    );

    itIfAble('address guard', 'ask each of the VSI’s addresses for itself', async () => {
      const second = macOf(17);
      const policy = { guards: { ...unguarded, address: true } };
      set({ 1: { ...sender, addresses: [a, second], policy }, 2: receiver });
      const own = ethernet(b, second, 0x86dd, ipv6(linkLocalOf(second), own6));
      await expect('s1', own, { s2: [own] });
      await expect('s1', ethernet(b, second, 0x86dd, ipv6(linkLocal, own6)), {});
    });
  });
}
