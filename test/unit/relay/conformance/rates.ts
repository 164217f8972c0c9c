import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ethernet, ipv4, plain } from '../frames.ts';
import { at, only } from '../states.ts';
import { a, b, slowest, hex, type Bench } from './bench.ts';

export function rates({ dropped, exchange, set }: Bench): void {
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
        2: { active: at('s2'), armed: at('s3'), policy: { rate: { 'to-vm': { max: slowest, burst } } } },
      });
      const out = await exchange('s1', ...frames);
      assert.equal(out.get('s2')?.length, 2);
      assert.equal(out.get('s3')?.length, 2);
      assert.equal(dropped('rate', { port: 's2', vsi: 2 }), 1);
      assert.equal(dropped('rate', { port: 's3', vsi: 2 }), 0);
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
}
