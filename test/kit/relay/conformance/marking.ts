import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { unmarked } from '../../../../src/domain/port-profile.ts';
import { ethernet, ipv4, ipv6, onesSum, plain } from '../frames.ts';
import { at, only } from '../states.ts';
import { a, b, hex, outside, ports, type Bench } from './bench.ts';

export function marking({ set, expect, exchange, itIfAble }: Bench): void {
  const marked = (marking: Partial<typeof unmarked>) => ({ marking: { ...unmarked, ...marking } });

  describe('the marking', () => {
    it('is what the VM says where it is trusted, drop eligibility included', async () => {
      set({ 1: { active: at('s1') }, 2: { active: at('s2') } });
      await expect('s1', plain(outside, a, 'x', 0xb000), { n1: [plain(outside, a, 'x', 0xb00a)] });
      const expedited = ethernet(b, a, 0x0800, ipv4('10.0.0.1', '10.0.0.2', { dscp: 46 }));
      await expect('s1', expedited, { s2: [expedited] });
    });

    itIfAble('PCP marking', 'gives untagged frames the default priority', async () => {
      set({ 1: { active: at('s1'), policy: marked({ defaultPcp: 3 }) } });
      await expect('s1', plain(outside, a, 'x'), { n1: [plain(outside, a, 'x', 0x600a)] });
      await expect('s1', plain(outside, a, 'x', 0x0000), { n1: [plain(outside, a, 'x', 0x000a)] });
      await expect('s1', plain(outside, a, 'x', 0xe000), { n1: [plain(outside, a, 'x', 0xe00a)] });
    });

    itIfAble('PCP marking', 'rewrites the priority, but not drop eligibility', async () => {
      set({ 1: { active: at('s1', 7), policy: marked({ pcp: 5, defaultPcp: 3 }) } });
      await expect('s1', plain(outside, a, 'x', 0xf007), { n1: [plain(outside, a, 'x', 0xb00a)] });
    });

    itIfAble('PCP marking', 'is for frames from the VM, and not for those to it', async () => {
      set({ 1: { active: at('s1', 7), policy: marked({ pcp: 5, defaultPcp: 3 }) } });
      await expect('n1', plain(a, outside, 'x', 0x200a), { s1: [plain(a, outside, 'x', 0x2007)] });
    });

    itIfAble('DSCP marking', 'writes an IPv4 DSCP and its checksum, and keeps congestion marks', async () => {
      set({ 1: { active: at('s1'), policy: marked({ dscp: 10 }) }, 2: { active: at('s2') } });
      const packet = ipv4('10.0.0.1', '10.0.0.2', { dscp: 46, ecn: 3 });
      const [got] = (await exchange('s1', ethernet(b, a, 0x0800, packet))).get('s2')!;
      const header = got!.subarray(14, 34);
      assert.equal(header[1], (10 << 2) | 3);
      assert.equal(onesSum(header), 0xffff);
      assert.equal(hex(got!.subarray(34)), hex(ethernet(b, a, 0x0800, packet).subarray(34)));
    });

    itIfAble('DSCP marking', 'writes an IPv6 DSCP, behind a tag as well', async () => {
      set({ 1: { active: at('s1', 7), policy: marked({ dscp: 46 }) }, 2: { active: at('s2') } });
      const packet = (dscp: number) => ipv6('2001:db8::1', '2001:db8::2', { dscp, ecn: 3 });
      await expect('s1', ethernet(b, a, 0x86dd, packet(10), 7), {
        s2: [ethernet(b, a, 0x86dd, packet(46))],
      });
    });

    itIfAble('DSCP marking', 'leaves alone what has no IP header that can be read', async () => {
      set({ 1: { active: at('s1'), policy: marked({ dscp: 46 }) }, 2: { active: at('s2') } });
      const frames = [
        plain(b, a, 'no IP'),
        ethernet(b, a, 0x0800, Uint8Array.of(0x65, 0, 0)),
        ethernet(b, a, 0x86dd, ipv4('10.0.0.1', '10.0.0.2')),
        ethernet(b, a, 0x0800, ipv4('10.0.0.1', '10.0.0.2')).subarray(0, 33),
      ];
      for (const frame of frames) await expect('s1', frame, { s2: [frame] });
    });

    itIfAble('DSCP marking', 'comes after the access list from the VM, and before all else', async () => {
      const old = only('deny', { direction: 'from-vm', dscp: 46 });
      const received = only('deny', { direction: 'to-vm', dscp: 46 });
      set(
        {
          1: { active: at('s1'), policy: { ...marked({ dscp: 46 }), accessList: old } },
          2: { active: at('s2'), policy: { accessList: received } },
        },
        { s1: ports['s1']!, s2: ports['s2']! },
      );
      await expect('s1', ethernet(b, a, 0x0800, ipv4('10.0.0.1', '10.0.0.2')), {});
      set({
        1: { active: at('s1'), policy: { ...marked({ dscp: 46 }), accessList: old } },
        2: { active: at('s2') },
      });
      await expect('s1', ethernet(b, a, 0x0800, ipv4('10.0.0.1', '10.0.0.2')), {
        s2: [ethernet(b, a, 0x0800, ipv4('10.0.0.1', '10.0.0.2', { dscp: 46 }))],
      });
    });
  });
}
