import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { broadcast, plain } from '../frames.ts';
import { at, macOf, network, state } from '../states.ts';
import { a, b, outside, ports, type Bench } from './bench.ts';

export function learning({ apply, set, expect, exchange, pass, dropped }: Bench): void {
  const networks = { ...ports, n1: network(null, 10, 20), n2: network(10, 20) };

  describe('learned addresses', () => {
    it('lead a frame to the one network port where they were seen last, in each VLAN', async () => {
      set({ 1: { active: at('s1') }, 2: { active: at('s2'), policy: { vlan: 20 } } }, networks);
      await expect('n2', plain(a, outside, 'here'), { s1: [plain(a, outside, 'here')] });
      await expect('s1', plain(outside, a, 'there'), { n2: [plain(outside, a, 'there')] });
      await expect('s2', plain(outside, b, 'other VLAN'), {
        n1: [plain(outside, b, 'other VLAN', 20)],
        n2: [plain(outside, b, 'other VLAN', 20)],
      });
      await expect('n1', plain(a, outside, 'moved', 10), { s1: [plain(a, outside, 'moved')] });
      await expect('s1', plain(outside, a, 'after it'), { n1: [plain(outside, a, 'after it', 10)] });
    });

    it('are learned from group frames, but not from group sources', async () => {
      set({ 1: { active: at('s1') } }, networks);
      await exchange('n2', plain(broadcast, outside, 'hello'));
      await expect('s1', plain(outside, a, 'answer'), { n2: [plain(outside, a, 'answer')] });
      await exchange('n2', plain(a, broadcast, 'no source'));
      await expect('s1', plain(broadcast, a, 'to all'), {
        n1: [plain(broadcast, a, 'to all', 10)],
        n2: [plain(broadcast, a, 'to all')],
      });
    });

    it('do not turn a frame around at a network port', async () => {
      set({ 1: { active: at('s1') } }, networks);
      await exchange('n1', plain(broadcast, outside, 'here', 10));
      await expect('n1', plain(outside, macOf(8), 'there already', 10), {});
      assert.equal(dropped('same-port', { port: 'n1' }), 1);
      await expect('n2', plain(outside, macOf(8), 'through'), {
        n1: [plain(outside, macOf(8), 'through', 10)],
      });
    });

    it('are not those of active VSIs; of others they lead on', async () => {
      set({ 1: { active: at('s1') }, 2: { active: at('s2') } }, networks);
      await exchange('n2', plain(broadcast, a, 'a forger'));
      set({ 1: { armed: at('s3') }, 2: { active: at('s2') } }, networks);
      await expect('s2', plain(a, b, 'nothing learned'), {
        n1: [plain(a, b, 'nothing learned', 10)],
        n2: [plain(a, b, 'nothing learned')],
      });
      await exchange('n2', plain(b, a, 'still elsewhere'));
      await expect('s2', plain(a, b, 'learned'), {
        n2: [plain(a, b, 'learned')],
      });
      await expect('n2', plain(a, outside, 'arriving'), {});
      assert.equal(dropped('same-port', { port: 'n2' }), 1);
    });

    it('are forgotten once a VSI with the address is active', async () => {
      const others = { 2: { active: at('s2') } };
      set(others, networks);
      await exchange('n2', plain(b, a, 'elsewhere'));
      set({ 1: { active: at('s1') }, ...others }, networks);
      set({ 1: { released: at('s1') }, ...others }, networks);
      await expect('s2', plain(a, b, 'gone again'), {
        n1: [plain(a, b, 'gone again', 10)],
        n2: [plain(a, b, 'gone again')],
      });
    });

    it('are forgotten with their port, and do not count while it does not carry the VLAN', async () => {
      const vsis = { 1: { active: at('s1') } };
      const flooded = { n1: [plain(outside, a, 'x', 10)], n2: [plain(outside, a, 'x')] };
      set(vsis, networks);
      await exchange('n2', plain(a, outside, 'here'));
      set(vsis, { ...networks, n2: network(20) });
      await expect('s1', plain(outside, a, 'x'), { n1: flooded.n1 });
      set(vsis, { ...networks, n2: { kind: 'mirror', session: 'x' } });
      set(vsis, networks);
      await expect('s1', plain(outside, a, 'x'), flooded);
    });

    it('are forgotten when they were not seen for the ageing time', async () => {
      const desired = { ...state(networks, { 1: { active: at('s1') } }), ageingTime: 10 };
      apply(desired);
      await exchange('n2', plain(a, outside, 'here'));
      await expect('s1', plain(outside, a, 'x'), { n2: [plain(outside, a, 'x')] });
      await pass(10);
      await expect('s1', plain(outside, a, 'x'), {
        n1: [plain(outside, a, 'x', 10)],
        n2: [plain(outside, a, 'x')],
      });
    });
  });
}
