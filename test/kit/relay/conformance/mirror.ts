import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { AccessList } from '../../../../src/domain/port-profile.ts';
import { broadcast, ethernet, ipv4, ipv6, plain } from '../frames.ts';
import { at, only } from '../states.ts';
import { a, b, hex, outside, ports, type Bench } from './bench.ts';

export function mirrors({ dropped, exchange, expect, set, itIfAble }: Bench): void {
  describe('the mirror', () => {
    const m1 = { kind: 'mirror', session: 'probe' } as const;
    const mirror = (direction: 'from-vm' | 'to-vm' | 'both', session = 'probe') => ({
      mirror: { session, direction },
    });

    it('copies one direction or both, without a tag, once per frame', async () => {
      set({ 1: { active: at('s1', 7), policy: mirror('both') }, 2: { active: at('s2') } }, { ...ports, m1 });
      await expect('s1', plain(b, a, 'from', 7), { s2: [plain(b, a, 'from')], m1: [plain(b, a, 'from')] });
      await expect('s2', plain(a, b, 'to'), {
        s1: [plain(a, b, 'to', 7)],
        m1: [plain(a, b, 'to')],
      });
      set({ 1: { active: at('s1'), policy: mirror('to-vm') }, 2: { active: at('s2') } }, { ...ports, m1 });
      await expect('s1', plain(b, a, 'from'), { s2: [plain(b, a, 'from')] });
      await expect('s2', plain(a, b, 'to'), { s1: [plain(a, b, 'to')], m1: [plain(a, b, 'to')] });
    });

    it('copies group frames as they were', async () => {
      set({ 1: { active: at('s1'), policy: mirror('both') }, 2: { active: at('s2') } }, { ...ports, m1 });
      await expect('s2', plain(broadcast, b, 'to all'), {
        n1: [plain(broadcast, b, 'to all', 10)],
        s1: [plain(a, b, 'to all')],
        m1: [plain(broadcast, b, 'to all')],
      });
    });

    it('copies nothing that the policy drops, and nothing without a port for the session', async () => {
      const accessList = only('deny', { etherType: 0x88b5 });
      set(
        { 1: { active: at('s1'), policy: { ...mirror('both'), accessList } }, 2: { active: at('s2') } },
        { ...ports, m1 },
      );
      await expect('s1', plain(b, a, 'denied'), {});
      set(
        { 1: { active: at('s1'), policy: mirror('both', 'elsewhere') }, 2: { active: at('s2') } },
        { ...ports, m1 },
      );
      await expect('s1', plain(b, a, 'other session'), { s2: [plain(b, a, 'other session')] });
    });

    it('follows the session to another port, which accepts no frames itself', async () => {
      const vsis = { 1: { active: at('s1'), policy: mirror('both') }, 2: { active: at('s2') } };
      set(vsis, { ...ports, m1 });
      set(vsis, { ...ports, n2: m1 });
      await expect('s1', plain(b, a, 'x'), { s2: [plain(b, a, 'x')], n2: [plain(b, a, 'x')] });
      await expect('n2', plain(a, outside, 'x'), {});
      assert.equal(dropped('vlan', { port: 'n2' }), 1);
    });

    itIfAble(
      'mirror filter',
      'copies what its filter allows, in the frame’s direction and as it was marked',
      async () => {
        const filter: AccessList = {
          rules: [
            { action: 'allow', direction: 'from-vm', etherType: 0x88b5 },
            { action: 'allow', direction: 'to-vm', dscp: 46 },
          ],
          otherwise: 'deny',
        };
        const policy = { mirror: { session: 'probe', direction: 'both', filter } } as const;
        set({ 1: { active: at('s1'), policy }, 2: { active: at('s2') } }, { ...ports, m1 });
        await expect('s1', plain(b, a, 'from'), { s2: [plain(b, a, 'from')], m1: [plain(b, a, 'from')] });
        await expect('s2', plain(a, b, 'to'), { s1: [plain(a, b, 'to')] });
        const expedited = ethernet(a, b, 0x0800, ipv4('10.0.0.2', '10.0.0.1', { dscp: 46 }));
        await expect('s2', expedited, { s1: [expedited], m1: [expedited] });
        const unreadable = ethernet(b, a, 0x0800, Uint8Array.of(0x60));
        await expect('s1', unreadable, { s2: [unreadable] });
      },
    );

    itIfAble('mirror truncation', 'cuts its copies, and nothing else', async () => {
      const policy = { mirror: { session: 'probe', direction: 'both', truncate: 150 } } as const;
      set({ 1: { active: at('s1', 7), policy }, 2: { active: at('s2') } }, { ...ports, m1 });
      const long = (to: string, from: string, tci?: number) =>
        ethernet(to, from, 0x0800, ipv4('10.0.0.1', '10.0.0.2', { length: 500 }), tci);
      const cut = (to: string, from: string) => long(to, from).subarray(0, 150);
      await expect('s1', long(b, a, 7), { s2: [long(b, a)], m1: [cut(b, a)] });
      await expect('s2', long(a, b), { s1: [long(a, b, 7)], m1: [cut(a, b)] });
      await expect('s2', long(broadcast, b), {
        n1: [long(broadcast, b, 10)],
        s1: [long(a, b, 7)],
        m1: [cut(broadcast, b)],
      });
    });

    itIfAble('mirror truncation', 'cuts within headers, or behind them', async () => {
      const policy = { mirror: { session: 'probe', direction: 'both', truncate: 20 } } as const;
      set({ 1: { active: at('s1'), policy }, 2: { active: at('s2') } }, { ...ports, m1 });
      const long = ethernet(b, a, 0x86dd, ipv6('fe80::1', 'fe80::2', { length: 500 }));
      const [copy] = (await exchange('s1', long)).get('m1')!;
      assert.ok(copy!.length === 20 || copy!.length === 128, `${copy!.length} octets`);
      assert.equal(hex(copy!), hex(long.subarray(0, copy!.length)));
    });

    itIfAble('mirror truncation', 'leaves shorter frames whole', async () => {
      const policy = { mirror: { session: 'probe', direction: 'both', truncate: 1000 } } as const;
      set({ 1: { active: at('s1'), policy }, 2: { active: at('s2') } }, { ...ports, m1 });
      await expect('s1', plain(b, a, 'x'), { s2: [plain(b, a, 'x')], m1: [plain(b, a, 'x')] });
    });

    itIfAble(
      'mirror sampling',
      'copies the first frame of each direction and VSI, and then one of each so many',
      async () => {
        const policy = { mirror: { session: 'probe', direction: 'both', sample: 3 } } as const;
        set({ 1: { active: at('s1'), policy }, 2: { active: at('s2'), policy } }, { ...ports, m1 });
        const frames = Array.from({ length: 7 }, (_, i) => plain(outside, a, `${i}`));
        const copies = async (port: string, list: Uint8Array[]) =>
          (await exchange(port, ...list)).get('m1')?.map(hex) ?? [];
        assert.deepEqual(
          await copies('s1', frames),
          [0, 3, 6].map((i) => hex(frames[i]!)),
        );
        const back = ['a', 'b'].map((text) => plain(a, outside, text, 10));
        assert.deepEqual(await copies('n1', back), [hex(plain(a, outside, 'a'))]);
        assert.deepEqual(await copies('s2', [plain(outside, b, 'x')]), [hex(plain(outside, b, 'x'))]);
      },
    );

    itIfAble(
      'mirror sampling',
      'counts what the filter allows, and anew only when the mirror is changed',
      async () => {
        const filter = only('deny', { etherType: 0x88b6 });
        const sampled = (sample: number, tenant: string, session = 'probe') =>
          set(
            {
              1: {
                active: at('s1'),
                policy: { tenant, mirror: { session, direction: 'from-vm', sample, filter } },
              },
              2: { active: at('s2') },
            },
            { ...ports, m1 },
          );
        const copied = async (frame: Uint8Array) => (await exchange('s1', frame)).has('m1');
        sampled(2, 'red');
        assert.equal(await copied(ethernet(b, a, 0x88b6)), false);
        assert.equal(await copied(plain(b, a, 'first')), true);
        sampled(2, 'blue');
        assert.equal(await copied(plain(b, a, 'second')), false);
        assert.equal(await copied(plain(b, a, 'third')), true);
        sampled(3, 'blue');
        assert.equal(await copied(plain(b, a, 'first again')), true);
        sampled(3, 'blue', 'elsewhere');
        assert.equal(await copied(plain(b, a, 'nowhere')), false);
        sampled(3, 'blue');
        assert.equal(await copied(plain(b, a, 'first again')), true);
      },
    );
  });
}
