import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { DropSample } from '../../../../src/relay/contract/relay.ts';
import { ethernet, plain } from '../frames.ts';
import { at, idOf, macOf, only } from '../states.ts';
import { a, b, hex, outside, type Bench } from './bench.ts';

export function drops({ relay, set, exchange, settle }: Bench): void {
  describe('samples of dropped frames', () => {
    async function watched(body: (samples: DropSample[]) => Promise<void>): Promise<void> {
      const samples: DropSample[] = [];
      const stop = relay().watchDrops((drop) => samples.push(drop));
      try {
        await body(samples);
      } finally {
        stop();
      }
    }

    it('tell port, reason and whose frame it was, and begin with the frame without its tag', () =>
      watched(async (samples) => {
        const accessList = only('deny', { direction: 'to-vm', etherType: 0x88b6 });
        set({ 1: { active: at('s1', 7) }, 2: { active: at('s2'), policy: { accessList } } });
        const long = new Uint8Array(300).fill(0xee);
        await exchange('s1', ethernet(b, a, 0x88b6, long, 7), plain(b, macOf(9), 'stranger', 7));
        await exchange('n1', plain(outside, macOf(9), 'no such VLAN', 30));
        await settle(() => samples.length >= 3);
        assert.deepEqual(
          samples.map(({ port, reason, vsi, octets }) => ({ port, reason, vsi, octets })),
          [
            { port: 's1', reason: 'access-list', vsi: idOf(2), octets: 314 },
            { port: 's1', reason: 'unassociated', vsi: null, octets: 60 },
            { port: 'n1', reason: 'vlan', vsi: null, octets: 60 },
          ],
        );
        assert.equal(hex(samples[0]!.frame), hex(ethernet(b, a, 0x88b6, long).subarray(0, 128)));
        assert.equal(hex(samples[1]!.frame), hex(plain(b, macOf(9), 'stranger')));
        assert.ok(samples[0]!.at <= samples[1]!.at && samples[1]!.at <= samples[2]!.at);
      }));

    it('name the sender for what is said of frames from the VM, and come from armed places', () =>
      watched(async (samples) => {
        const accessList = only('deny', { direction: 'from-vm', etherType: 0x88b5 });
        set({ 1: { active: at('s1'), armed: at('s2'), policy: { accessList } } });
        await exchange('s1', plain(b, a, 'denied'));
        await exchange('s2', plain(b, a, 'early'));
        await settle(() => samples.length >= 2);
        assert.deepEqual(
          samples.map(({ port, reason, vsi }) => [port, reason, vsi]),
          [
            ['s1', 'access-list', idOf(1)],
            ['s2', 'armed', idOf(1)],
          ],
        );
      }));

    it('end with the one in which the listener stops listening, and may begin again in it', async () => {
      set({ 1: { active: at('s1') } });
      let heard = 0;
      const once = () => {
        const stop = relay().watchDrops(() => {
          heard++;
          stop();
          if (heard === 1) once();
        });
      };
      once();
      const frames = Array.from({ length: 10 }, () => plain(b, macOf(9), 'stranger'));
      await exchange('s1', ...frames);
      await settle(() => heard > 0);
      await exchange('s1', ...frames);
      await settle(() => heard > 1);
      assert.equal(heard, 2);
    });

    it('are told at a rate that a flood does not raise, and no more when nobody listens', async () => {
      const frames = Array.from({ length: 2000 }, () => plain(b, macOf(9), 'flood'));
      const heard: DropSample[] = [];
      await watched(async (samples) => {
        set({ 1: { active: at('s1') } });
        await exchange('s1', ...frames);
        await settle(() => samples.length > 0);
        assert.ok(samples.length > 0 && samples.length < 1500, `${samples.length} samples`);
        heard.push(...samples);
        samples.length = 0;
        heard.length = 0;
      });
      const stop = relay().watchDrops((drop) => heard.push(drop));
      stop();
      await exchange('s1', ...frames.slice(0, 10));
      await settle(() => true);
      assert.deepEqual(heard, []);
    });
  });
}
