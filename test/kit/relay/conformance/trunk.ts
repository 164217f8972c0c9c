import assert from 'node:assert/strict';
import { describe } from 'node:test';
import { parseVid } from '../../../../src/domain/vid.ts';
import { broadcast, plain } from '../frames.ts';
import { at, idOf, network, only } from '../states.ts';
import { a, b, c, outside, ports, type Bench } from './bench.ts';

const trunk = [20, 30].map(parseVid);

export function trunks({ set, expect, relay, dropped, itIfAble }: Bench): void {
  describe('a trunk', () => {
    itIfAble('trunk', 'carries its VLANs under their own VIDs, beside the wire VID of its own', async () => {
      set(
        { 1: { active: at('s1', 7), policy: { trunk } }, 2: { active: at('s2'), policy: { vlan: 20 } } },
        { ...ports, n1: network(30, 10, 20) },
      );
      await expect('s1', plain(b, a, 'in 20', 0xa014), { s2: [plain(b, a, 'in 20')] });
      await expect('s2', plain(a, b, 'back', 0x4000), { s1: [plain(a, b, 'back', 0x4014)] });
      await expect('s1', plain(outside, a, 'in 10', 7), { n1: [plain(outside, a, 'in 10', 10)] });
      await expect('s1', plain(outside, a, 'in 30', 30), { n1: [plain(outside, a, 'in 30')] });
      await expect('n1', plain(a, outside, 'native'), { s1: [plain(a, outside, 'native', 30)] });
      await expect('n1', plain(a, outside, 'own', 10), { s1: [plain(a, outside, 'own', 7)] });
      await expect('s1', plain(b, a, 'its own VLAN is not a VID of its', 10), {});
      assert.equal(dropped('unassociated', { port: 's1' }), 1);
      assert.equal(relay().counters().vsis.get(idOf(1))!.get('s1')!.fromVm.frames, 3);
    });

    itIfAble('trunk', 'is armed and released with its VSI', async () => {
      set({ 1: { active: at('s1'), armed: at('s2'), released: at('s3'), policy: { trunk } } });
      await expect('s2', plain(outside, a, 'too early', 20), {});
      await expect('s3', plain(outside, a, 'too late', 30), {});
      assert.equal(dropped('armed', { port: 's2', vsi: 1 }), 1);
      assert.equal(dropped('moved', { port: 's3', vsi: 1 }), 1);
      await expect('n1', plain(a, outside, 'to the VM', 20), { s1: [plain(a, outside, 'to the VM', 20)] });
    });

    itIfAble('trunk', 'is a member of each of its VLANs, with a copy of its own', async () => {
      set({
        1: { active: at('s1'), policy: { trunk } },
        2: { active: at('s1') },
        3: { active: at('s2'), policy: { vlan: 20 } },
      });
      await expect('n1', plain(broadcast, outside, 'to 20', 20), {
        s1: [plain(a, outside, 'to 20', 20)],
        s2: [plain(broadcast, outside, 'to 20')],
      });
      await expect('n1', plain(broadcast, outside, 'to 10', 10), {
        s1: [plain(broadcast, outside, 'to 10')],
      });
      await expect('s2', plain(broadcast, c, 'from 20'), {
        n1: [plain(broadcast, c, 'from 20', 20)],
        s1: [plain(a, c, 'from 20', 20)],
      });
    });

    itIfAble('trunk', 'is told apart by the access list', async () => {
      const accessList = only('deny', { vlan: parseVid(20) });
      set(
        { 1: { active: at('s1'), policy: { trunk, accessList } } },
        { ...ports, n1: network(null, 10, 20) },
      );
      await expect('s1', plain(outside, a, 'in 20', 20), {});
      await expect('s1', plain(outside, a, 'in 10'), { n1: [plain(outside, a, 'in 10', 10)] });
      await expect('n1', plain(a, outside, 'in 20', 20), {});
    });
  });
}
