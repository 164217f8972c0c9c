import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { broadcast, plain } from '../frames.ts';
import { at, only } from '../states.ts';
import { a, b, outside, ports, type Bench } from './bench.ts';

export function mirrors({ dropped, expect, set }: Bench): void {
  describe('the mirror', () => {
    const m1 = { kind: 'mirror', session: 'probe' } as const;
    const mirror = (direction: 'from-vm' | 'to-vm' | 'both', session = 'probe') => ({
      mirror: { session, direction },
    });

    it('copies one direction or both, without a tag, once per frame', async () => {
      set(
        { 1: { active: at('s1', 7), armed: at('s3'), policy: mirror('both') }, 2: { active: at('s2') } },
        { ...ports, m1 },
      );
      await expect('s1', plain(b, a, 'from', 7), { s2: [plain(b, a, 'from')], m1: [plain(b, a, 'from')] });
      await expect('s2', plain(a, b, 'to'), {
        s1: [plain(a, b, 'to', 7)],
        s3: [plain(a, b, 'to')],
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
  });
}
