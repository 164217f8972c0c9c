import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Rates } from '../../../../src/domain/port-profile.ts';
import { broadcast, ethernet, ipv4, plain } from '../frames.ts';
import { at, only, state, type VsiSpec } from '../states.ts';
import { a, b, c, hex, outside, ports, slowest, type Bench } from './bench.ts';

export function rates({ apply, dropped, exchange, set, itIfAble }: Bench): void {
  describe('the rate', () => {
    const frames = ['one', 'two', 'three'].map((text) => plain(b, a, text));
    const burst = 100; // two frames of 60 octets, the second of which overdraws

    it('from the VM: passes the burst and drops the rest as rate', async () => {
      set({
        1: { active: at('s1'), policy: { rate: { 'from-vm': { max: slowest, burst } } } },
        2: { active: at('s2') },
      });
      const out = await exchange('s1', ...frames);
      assert.deepEqual(out.get('s2')?.map(hex), frames.slice(0, 2).map(hex));
      assert.equal(dropped('rate', { port: 's1', vsi: 1 }), 1);
    });

    it('to the VM: is charged once per frame, not once per copy', async () => {
      set({
        1: { active: at('s1') },
        2: { active: at('s2'), policy: { rate: { 'to-vm': { max: slowest, burst } } } },
      });
      const out = await exchange('s1', ...frames);
      assert.equal(out.get('s2')?.length, 2);
      assert.equal(dropped('rate', { port: 's2', vsi: 2 }), 1);
    });

    it('passes a frame longer than the burst, and starts anew when it is changed', async () => {
      const limited = (size: number) =>
        set({
          1: { active: at('s1'), policy: { rate: { 'from-vm': { max: slowest, burst: size } } } },
          2: { active: at('s2') },
        });
      limited(10);
      assert.equal((await exchange('s1', ...frames)).get('s2')?.length, 1);
      limited(61);
      assert.equal((await exchange('s1', ...frames)).get('s2')?.length, 2);
    });

    it('is charged after the access list', async () => {
      set({
        1: {
          active: at('s1'),
          policy: {
            rate: { 'from-vm': { max: slowest, burst: 60 } },
            accessList: only('deny', { etherType: 0x0800 }),
          },
        },
        2: { active: at('s2') },
      });
      const denied = ethernet(b, a, 0x0800, ipv4('10.0.0.1', '10.0.0.2'));
      assert.equal((await exchange('s1', denied, denied, frames[0]!)).get('s2')?.length, 1);
    });
  });

  describe('the rate of a tenant', () => {
    const frames = ['one', 'two', 'three'].map((text) => plain(b, a, text));
    const limit = { max: slowest, burst: 100 };
    const limited = (vsis: Record<number, VsiSpec>, rate: Rates) =>
      apply(state(ports, vsis, { red: { rate, guaranteed: null } }));

    it('is that of all its VSIs together, and of no other tenant', async () => {
      const blue = { active: at('s3'), policy: { tenant: 'blue' } };
      limited({ 1: { active: at('s1') }, 2: { active: at('s2') }, 3: blue }, { 'from-vm': limit });
      assert.equal((await exchange('s1', frames[0]!)).get('s2')?.length, 1);
      assert.equal((await exchange('s2', plain(a, b, 'one'), plain(a, b, 'two'))).get('s1')?.length, 1);
      assert.equal(dropped('tenant-rate', { port: 's2', vsi: 2 }), 1);
      assert.equal(dropped('tenant-rate', { port: 's2' }), 1);
      const others = Array.from({ length: 5 }, () => plain(b, c, 'x'));
      assert.equal((await exchange('s3', ...others)).get('s2')?.length, 5);
    });

    it('to the VMs is charged once per frame and VSI', async () => {
      limited({ 1: { active: at('s1') }, 2: { active: at('s2') } }, { 'to-vm': limit });
      const out = await exchange('s1', ...frames);
      assert.equal(out.get('s2')?.length, 2);
      assert.equal(dropped('tenant-rate', { port: 's2', vsi: 2 }), 1);
      // has something to say about frames to the VM, so that a group frame comes to each VSI by itself
      limited(
        { 1: { active: at('s1') }, 2: { active: at('s1') } },
        { 'to-vm': { max: slowest, burst: 9000 } },
      );
      assert.equal((await exchange('n1', plain(broadcast, outside, 'x', 10))).get('s1')?.length, 2);
    });

    it('is charged after the VSI’s own', async () => {
      const policy = { rate: { 'from-vm': { max: slowest, burst: 61 } } };
      const vsis = { 1: { active: at('s1'), policy }, 2: { active: at('s2') } };
      limited(vsis, { 'from-vm': { max: slowest, burst: 150 } });
      await exchange('s1', ...frames, ...frames);
      assert.equal(dropped('rate', { port: 's1', vsi: 1 }), 4);
      assert.equal((await exchange('s2', plain(a, b, 'x'))).get('s1')?.length, 1);
    });

    it('goes on while it stays, and starts anew when it is changed', async () => {
      const vsis = { 1: { active: at('s1') }, 2: { active: at('s2') } };
      const long = [1, 2, 3].map((octet) => ethernet(b, a, 0x88b5, new Uint8Array(1400).fill(octet)));
      const longLimit = { max: slowest, burst: 1500 };
      limited(vsis, { 'from-vm': longLimit });
      await exchange('s1', ...long);
      limited(
        { ...vsis, 3: { active: at('s3') } },
        { 'from-vm': longLimit, 'to-vm': { max: 2 ** 30, burst: 9000 } },
      );
      assert.equal((await exchange('s1', long[0]!)).get('s2')?.length ?? 0, 0);
      limited(vsis, { 'from-vm': { ...longLimit, burst: 1450 } });
      assert.equal((await exchange('s1', ...long)).get('s2')?.length, 2);
    });
  });

  describe('storm control', () => {
    const slowly = { framesPerSecond: 1, burst: 1 }; // one frame, and one that overdraws
    const multicast = '33:33:00:00:00:01';

    itIfAble(
      'storm control',
      'is for each kind by itself, and not for what goes where it is known',
      async () => {
        const storm = { broadcast: slowly, multicast: { ...slowly, burst: 2 }, 'unknown-unicast': slowly };
        set({
          1: { active: at('s1'), policy: { storm } },
          2: { active: at('s2') },
          3: { released: at('s3') },
        });
        const many = (destination: string) => Array.from({ length: 6 }, () => plain(destination, a, 'x'));
        assert.equal((await exchange('s1', ...many(broadcast))).get('s2')?.length, 2);
        assert.equal((await exchange('s1', ...many(multicast))).get('s2')?.length, 3);
        assert.equal((await exchange('s1', ...many(outside))).get('n1')?.length, 2);
        assert.equal(dropped('storm', { port: 's1', vsi: 1 }), 4 + 3 + 4);
        assert.equal(dropped('storm', { port: 's1' }), 4 + 3 + 4);
        assert.equal((await exchange('s1', ...many(b))).get('s2')?.length, 6);
        assert.equal((await exchange('s1', ...many(c))).get('n1')?.length, 6);
        await exchange('n1', plain(a, outside, 'here', 10));
        assert.equal((await exchange('s1', ...many(outside))).get('n1')?.length, 6);
      },
    );

    itIfAble('storm control', 'comes after the access list and before the rate', async () => {
      const policy = {
        storm: { broadcast: slowly },
        accessList: only('deny', { direction: 'from-vm', etherType: 0x0800 }),
        rate: { 'from-vm': { max: slowest, burst: 121 } },
      };
      set({ 1: { active: at('s1'), policy }, 2: { active: at('s2') } });
      const denied = ethernet(broadcast, a, 0x0800, ipv4('10.0.0.1', '10.0.0.2'));
      const stormy = Array.from({ length: 5 }, () => plain(broadcast, a, 'x'));
      const out = await exchange('s1', denied, denied, ...stormy, plain(b, a, 'x'), plain(b, a, 'x'));
      assert.equal(out.get('s2')?.length, 3);
      assert.equal(dropped('access-list', { port: 's1', vsi: 1 }), 2);
      assert.equal(dropped('storm', { port: 's1', vsi: 1 }), 3);
      assert.equal(dropped('rate', { port: 's1', vsi: 1 }), 1);
    });

    itIfAble('storm control', 'starts anew when it is changed, and goes on otherwise', async () => {
      const limited = (burst: number, tenant: string) =>
        set({
          1: { active: at('s1'), policy: { tenant, storm: { broadcast: { ...slowly, burst } } } },
          2: { active: at('s2') },
        });
      const stormy = plain(broadcast, a, 'x');
      limited(1, 'red');
      await exchange('s1', stormy, stormy);
      limited(1, 'blue');
      assert.equal((await exchange('s1', stormy)).size, 0);
      limited(2, 'blue');
      assert.equal((await exchange('s1', stormy, stormy, stormy, stormy)).get('s2')?.length, 3);
    });
  });
}
