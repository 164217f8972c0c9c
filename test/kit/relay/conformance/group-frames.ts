import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { broadcast, plain } from '../frames.ts';
import { at, only } from '../states.ts';
import { a, b, c, hex, outside, type Bench } from './bench.ts';

export function groupFrames({ dropped, exchange, expect, set }: Bench): void {
  describe('a group frame', () => {
    it('goes to the network and to all members, but not to its sender', async () => {
      set({
        1: { active: at('s1') },
        2: { active: at('s2'), armed: at('s3') },
        3: { active: at('s3'), policy: { vlan: 20 } },
      });
      await expect('s1', plain(broadcast, a, 'hello'), {
        n1: [plain(broadcast, a, 'hello', 10)],
        s2: [plain(broadcast, a, 'hello')],
      });
      await expect('s2', plain('33:33:00:00:00:01', b, 'hello'), {
        n1: [plain('33:33:00:00:00:01', b, 'hello', 10)],
        s1: [plain('33:33:00:00:00:01', b, 'hello')],
      });
      await expect('n1', plain(broadcast, outside, 'hello', 20), { s3: [plain(c, outside, 'hello')] });
    });

    it('comes to no VSI that is only armed or released there, so that those who are active have one of their own', async () => {
      for (const guest of [{ armed: at('s2'), active: at('s3') }, { released: at('s2') }]) {
        set({ 1: guest, 2: { active: at('s2') }, 3: { active: at('s2') } });
        const out = await exchange('n1', plain(broadcast, outside, 'all', 10));
        assert.deepEqual(
          out.get('s2')?.map(hex).sort(),
          [plain(b, outside, 'all'), plain(c, outside, 'all')].map(hex).sort(),
        );
        set({ 2: { active: at('s2') }, 3: { active: at('s2') } });
        await expect('n1', plain(broadcast, outside, 'all', 10), { s2: [plain(broadcast, outside, 'all')] });
      }
    });

    it('comes once to a station whose untagged VSIs are all in one VLAN, by reflective relay as well', async () => {
      set({ 1: { active: at('s1') }, 2: { active: at('s1') }, 3: { active: at('s1') } });
      await expect('s1', plain(broadcast, a, 'neighbours'), {
        s1: [plain(broadcast, a, 'neighbours')],
        n1: [plain(broadcast, a, 'neighbours', 10)],
      });
      await expect('n1', plain(broadcast, outside, 'all', 10), { s1: [plain(broadcast, outside, 'all')] });
    });

    it('comes to each VSI under its own policy where one has something to say about frames to its VM', async () => {
      const deaf = only('deny', { direction: 'to-vm', etherType: 0x88b5 });
      set({
        1: { active: at('s1') },
        2: { active: at('s1'), policy: { accessList: deaf } },
        3: { active: at('s1', 8) },
      });
      await expect('n1', plain(broadcast, outside, 'all', 10), {
        s1: [plain(a, outside, 'all'), plain(c, outside, 'all', 8)],
      });
      assert.equal(dropped('access-list', { port: 's1', vsi: 2 }), 1);
    });

    it('does not come back to a station without reflective relay', async () => {
      set(
        { 1: { active: at('s1') }, 2: { active: at('s1') } },
        {
          s1: { kind: 'station', reflectiveRelay: false },
        },
      );
      await expect('s1', plain(broadcast, a, 'neighbours'), {});
      assert.equal(dropped('reflective-relay-off', { port: 's1' }), 1);
    });
  });
}
