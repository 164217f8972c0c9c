import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { arp, behind, broadcast, ethernet, ipv4, ipv6, plain, protocols, snapped } from '../frames.ts';
import { at, only } from '../states.ts';
import { a, b, hex, outside, type Bench } from './bench.ts';

const telnet = ethernet(
  b,
  a,
  0x0800,
  ipv4('10.0.0.1', '10.0.0.2', { protocol: protocols.tcp, destinationPort: 23, length: 20 }),
);
const foreignTags = [0x9100, 0x9200, 0x9300];
const ouis: Record<string, number[]> = { 'RFC 1042': [0, 0, 0], '802.1H': [0, 0, 0xf8] };

export function encapsulation({ set, expect, exchange, dropped }: Bench): void {
  describe('a frame in SNAP', () => {
    const denied = only('deny', { protocol: protocols.tcp, destinationPorts: { from: 23, to: 23 } });

    for (const [name, oui] of Object.entries(ouis)) {
      it(`of ${name}: where there are rules, IP is denied in it`, async () => {
        set({ 1: { active: at('s1'), policy: { accessList: denied } }, 2: { active: at('s2') } });
        await expect('s1', snapped(telnet, { oui }), {});
        const packet = ethernet(b, a, 0x86dd, ipv6('2001:db8::1', '2001:db8::2'));
        await expect('s1', snapped(packet, { oui }), {});
        assert.equal(dropped('access-list', { port: 's1', vsi: 1 }), 2);
      });

      it(`of ${name}: to the VM likewise`, async () => {
        set({ 1: { active: at('s1'), policy: { accessList: denied } } });
        await expect('n1', snapped(ethernet(a, outside, 0x0800, telnet.subarray(14), 10), { oui }), {});
      });

      it(`of ${name}: has that EtherType for rules`, async () => {
        const accessList = only('deny', { etherType: 0x0806 });
        set({ 1: { active: at('s1'), policy: { accessList } }, 2: { active: at('s2') } });
        await expect('s1', snapped(arp(a, '10.0.0.1', '10.0.0.2'), { oui }), {});
        const other = snapped(plain(b, a, 'x'), { oui });
        await expect('s1', other, { s2: [other] });
      });

      it(`of ${name}: is dropped as vlan with a tag in it`, async () => {
        set({ 1: { active: at('s1') }, 2: { active: at('s2') } });
        for (const tag of [0x8100, 0x88a8, ...foreignTags])
          await expect('s1', snapped(behind([tag, 7], plain(b, a, 'x')), { oui }), {});
        assert.equal(dropped('vlan', { port: 's1' }), 5);
      });
    }

    it('is read behind an 802.1Q tag', async () => {
      set({ 1: { active: at('s1', 7), policy: { accessList: denied } }, 2: { active: at('s2') } });
      await expect('s1', behind([0x8100, 7], snapped(telnet)), {});
      assert.equal(dropped('access-list', { port: 's1', vsi: 1 }), 1);
    });

    it('passes where nobody asks', async () => {
      set({ 1: { active: at('s1') }, 2: { active: at('s2') } });
      await expect('s1', snapped(telnet), { s2: [snapped(telnet)] });
    });

    it('of another OUI has no EtherType', async () => {
      set({ 1: { active: at('s1'), policy: { accessList: denied } }, 2: { active: at('s2') } });
      const frame = snapped(telnet, { oui: [8, 0, 7] });
      await expect('s1', frame, { s2: [frame] });
    });
  });

  it('drops the tags of switches before 802.1ad as vlan, first or second, whoever sends', async () => {
    set({ 1: { active: at('s1') }, 2: { active: at('s2') } });
    for (const tag of foreignTags) {
      await expect('s1', behind([tag, 0], plain(b, a, 'x')), {});
      await expect('s1', behind([0x8100, 0, tag, 0], plain(b, a, 'x')), {});
      await expect('n1', behind([tag, 10], plain(broadcast, outside, 'x')), {});
    }
    assert.equal(dropped('vlan', { port: 's1' }), 6);
    assert.equal(dropped('vlan', { port: 'n1' }), 3);
    const loopback = ethernet(b, a, 0x9000);
    assert.deepEqual((await exchange('s1', loopback)).get('s2')?.map(hex), [hex(loopback)]);
  });
}
