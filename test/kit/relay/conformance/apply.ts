import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { describe, it } from 'node:test';
import { limits } from '../../../../src/domain/limits.ts';
import { anyState } from '../arbitrary.ts';
import { broadcast, plain } from '../frames.ts';
import { largestPolicy, largestTenant } from '../largest.ts';
import { at, idOf, macOf, network, state, station } from '../states.ts';
import { a, b, c, outside, ports, type Bench } from './bench.ts';

export function application({ apply, exchange, expect, relay, set }: Bench): void {
  describe('apply', () => {
    it('holds what was applied, whatever was there before', () => {
      const desired = state(
        { ...ports, n2: network(30), m1: { kind: 'mirror', session: 'probe' } },
        {
          1: {
            active: at('s1', 7),
            armed: at('s2'),
            released: at('s3', 4094),
            label: 'größer',
            addresses: [c, a],
            policy: {
              vlan: 20,
              rate: {
                'from-vm': { max: 10_000_000, burst: 1514 },
                'to-vm': { max: limits.rate.most, burst: 65_536 },
              },
              mirror: { session: 'probe', direction: 'to-vm' },
              accessList: {
                otherwise: 'deny',
                rules: [
                  { action: 'allow', direction: 'from-vm', etherType: 0x0806 },
                  {
                    action: 'deny',
                    direction: 'to-vm',
                    source: { address: '10.0.0.1', length: 9 },
                    destination: { address: '0.0.0.0', length: 0 },
                    protocol: 0,
                  },
                  {
                    action: 'allow',
                    direction: 'both',
                    destination: { address: '2001:db8::', length: 128 },
                    protocol: 132,
                    sourcePorts: { from: 0, to: 65_535 },
                    destinationPorts: { from: 22, to: 23 },
                  },
                ],
              },
            },
          },
          2: { released: at('s1') },
        },
      );
      apply(desired);
      assert.deepEqual(relay().held(), desired);
      apply(state({ s1: station }));
      assert.deepEqual(relay().held(), state({ s1: station }));
    });

    it('holds as much of everything as the API takes', () => {
      const { name, ...tenant } = largestTenant;
      const { session } = largestPolicy.mirror!;
      const desired = state(
        { ...ports, m1: { kind: 'mirror', session } },
        {
          1: {
            active: at('s1', 4094),
            addresses: Array.from({ length: limits.addresses }, (_, i) => macOf(i)),
            ips: Array.from({ length: limits.ips }, (_, i) => `2001:db8::${i + 1}`),
            label: 'l'.repeat(limits.labelOctets),
            policy: largestPolicy,
          },
        },
        { [name]: tenant },
      );
      apply(desired);
      assert.deepEqual(relay().held(), desired);
    });

    it('holds any state, after any other', () => {
      fc.assert(
        fc.property(fc.array(anyState(relay().capabilities), { minLength: 1, maxLength: 4 }), (states) => {
          for (const desired of states) {
            apply(desired);
            assert.deepEqual(relay().held(), desired);
          }
        }),
        { numRuns: 60 },
      );
    });

    it('keeps the counters of a place that changes its part, and begins new ones for a new place', async () => {
      set({ 1: { active: at('s1'), armed: at('s2') }, 2: { active: at('s3') } });
      await exchange('s1', plain(b, a, 'x'));
      set({ 1: { active: at('s2'), released: at('s1') }, 2: { active: at('s3') } });
      await exchange('s2', plain(b, a, 'x'), plain(b, a, 'x'));
      const places = relay().counters().vsis.get(idOf(1))!;
      assert.deepEqual([...places.keys()].sort(), ['s1', 's2']);
      assert.equal(places.get('s1')!.fromVm.frames, 1);
      assert.equal(places.get('s2')!.fromVm.frames, 2);
      set({ 1: { active: at('s2') }, 2: { active: at('s3') } });
      set({ 1: { active: at('s2'), armed: at('s1') }, 2: { active: at('s3') } });
      assert.equal(relay().counters().vsis.get(idOf(1))!.get('s1')!.fromVm.frames, 0);
      assert.equal(relay().counters().vsis.get(idOf(1))!.get('s2')!.fromVm.frames, 2);
    });

    it('tells the counters of one VSI, and of the ports, as it does those of all', async () => {
      set({ 1: { active: at('s1'), armed: at('s2') }, 2: { active: at('s3') } });
      await exchange('s1', plain(b, a, 'x'));
      assert.deepEqual(relay().countersOf(idOf(1)), relay().counters().vsis.get(idOf(1)));
      assert.deepEqual(relay().portCounters(), relay().counters().ports);
      assert.equal(relay().countersOf(idOf(9)).size, 0);
    });

    it('lets an address go from one VSI to another, and a VSI from one VLAN to another', async () => {
      set({ 1: { active: at('s1') }, 2: { active: at('s2') } });
      set({ 3: { active: at('s1'), addresses: [a] }, 2: { active: at('s2') } });
      await expect('s2', plain(a, b, 'new'), { s1: [plain(a, b, 'new')] });
      await expect('s1', plain(b, a, 'new'), { s2: [plain(b, a, 'new')] });
      set({ 3: { active: at('s1'), addresses: [a], policy: { vlan: 20 } }, 2: { active: at('s2') } });
      await expect('s2', plain(a, b, 'apart'), { n1: [plain(a, b, 'apart', 10)] });
      await expect('s2', plain(broadcast, b, 'apart'), { n1: [plain(broadcast, b, 'apart', 10)] });
      await expect('n1', plain(broadcast, outside, 'there', 20), {
        s1: [plain(broadcast, outside, 'there')],
      });
    });

    it('forwards nothing for a VSI or port that was removed', async () => {
      set({ 1: { active: at('s1') }, 2: { active: at('s2') } });
      set({ 2: { active: at('s2') } }, { s1: station, s2: station });
      await expect('s1', plain(b, a, 'x'), {});
      await expect('s2', plain(a, b, 'x'), {});
      await expect('s2', plain(broadcast, b, 'x'), {});
      assert.equal(relay().counters().ports.has('n1'), false);
      assert.equal(relay().counters().vsis.has(idOf(1)), false);
    });
  });
}
