import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { broadcast, plain } from '../frames.ts';
import { at, macOf, network, state } from '../states.ts';
import { a, outside, ports, type Bench } from './bench.ts';

export function learning({ apply, set, exchange, pass, dropped }: Bench): void {
  /** n1 is active in both VLANs, and then n2 is. */
  const first = { ...ports, n1: network(null, 10, 20), n2: network(10, 20) };
  const { n1, ...rest } = first;
  const second = { ...rest, n1 };
  const vsis = { 1: { active: at('s1') } };
  const known = (port: string, tag?: number) => exchange(port, plain(outside, macOf(8), 'to it', tag));

  /** Whether a frame from the network to it is dropped because it is there. */
  async function isLearned(port: string, tag?: number): Promise<boolean> {
    const before = dropped('same-port', { port });
    await known(port, tag);
    return dropped('same-port', { port }) > before;
  }

  describe('learned addresses', () => {
    it('are those of sources at the active network port, in each VLAN, of group frames as well', async () => {
      set(vsis, first);
      assert.equal(await isLearned('n1', 10), false);
      assert.equal(dropped('unknown-destination', { port: 'n1' }), 1);
      await exchange('n1', plain(a, outside, 'here', 10));
      assert.equal(await isLearned('n1', 10), true);
      assert.equal(await isLearned('n1', 20), false);
      await exchange('n1', plain(broadcast, outside, 'hello', 20));
      assert.equal(await isLearned('n1', 20), true);
    });

    it('are never group addresses, nor what a standby port hears', async () => {
      set(vsis, first);
      await exchange('n1', plain(a, broadcast, 'no source', 10));
      await exchange('n2', plain(a, outside, 'standing by'));
      assert.equal(await isLearned('n1', 10), false);
    });

    it('count while their port is the active one', async () => {
      set(vsis, first);
      await exchange('n1', plain(a, outside, 'here', 10));
      set(vsis, second);
      assert.equal(await isLearned('n2'), false);
      await exchange('n2', plain(a, outside, 'here now'));
      assert.equal(await isLearned('n2'), true);
      set(vsis, first);
      assert.equal(await isLearned('n1', 10), false);
    });

    it('are not those of active VSIs, and are forgotten once one with the address is active', async () => {
      const it = { addresses: [outside] };
      set({ ...vsis, 2: { active: at('s2'), ...it } }, first);
      await exchange('n1', plain(broadcast, outside, 'a forger', 10));
      set(vsis, first);
      assert.equal(await isLearned('n1', 10), false);
      await exchange('n1', plain(broadcast, outside, 'elsewhere', 10));
      set({ ...vsis, 2: { active: at('s2'), ...it } }, first);
      set({ ...vsis, 2: { released: at('s2'), ...it } }, first);
      assert.equal(await isLearned('n1', 10), false);
    });

    it('are forgotten with their port', async () => {
      set(vsis, second);
      await exchange('n2', plain(a, outside, 'here'));
      set(vsis, { ...first, n2: { kind: 'mirror', session: 'x' } });
      set(vsis, second);
      assert.equal(await isLearned('n2'), false);
    });

    it('are forgotten when they were not seen for the ageing time', async () => {
      apply({ ...state(first, vsis), ageingTime: 10 });
      await exchange('n1', plain(a, outside, 'here', 10));
      assert.equal(await isLearned('n1', 10), true);
      await pass(10);
      assert.equal(await isLearned('n1', 10), false);
    });
  });
}
