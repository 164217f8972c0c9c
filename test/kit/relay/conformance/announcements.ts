import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { broadcast, gratuitousArp, neighbourAdvertisement, plain, rarp } from '../frames.ts';
import { at, macOf, station } from '../states.ts';
import { a, b, type Bench } from './bench.ts';

export function announcements({ dropped, events, exchange, relay, set, settle }: Bench): void {
  describe('announcements', () => {
    it('are told with port, address and reason, of every kind and only where the source may not send', async () => {
      set({ 1: { active: at('s1'), armed: at('s2'), released: at('s3') } });
      const gone = macOf(9);
      await exchange('s1', gratuitousArp(gone), gratuitousArp(a));
      await exchange('s2', rarp(a));
      await exchange('s3', neighbourAdvertisement(a));
      await settle(() => events.length >= 3);
      assert.deepEqual(
        events.map(({ port, mac, wireVid, reason }) => `${port} ${mac} ${wireVid} ${reason}`),
        [`s1 ${gone} 0 unassociated`, `s2 ${a} 0 armed`, `s3 ${a} 0 moved`],
      );
      assert.ok(events[0]!.at <= events[1]!.at && events[1]!.at <= events[2]!.at);
    });

    it('are not ordinary ARP, solicited advertisements or other frames', async () => {
      set({ 1: { active: at('s1') } });
      const stranger = macOf(9);
      await exchange(
        's1',
        gratuitousArp(stranger, '10.0.0.1', '10.0.0.2'),
        neighbourAdvertisement(stranger, true),
        plain(broadcast, stranger, 'x'),
        rarp(stranger),
      );
      await settle(() => events.length >= 1);
      assert.equal(events.length, 1);
    });

    it('are told at a rate that a flood does not raise', async () => {
      set({ 1: { active: at('s1') } });
      await exchange('s1', ...Array.from({ length: 200 }, () => rarp(macOf(9))));
      await settle(() => events.length >= 20);
      assert.ok(events.length >= 20 && events.length < 100, `${events.length} events`);
      assert.equal(dropped('unassociated', { port: 's1' }), 200);
    });

    it('of a VSI are told where it is armed, however many others are made there', async () => {
      set({ 1: { active: at('s1'), armed: at('s2') } });
      await exchange('s2', ...Array.from({ length: 200 }, () => rarp(macOf(9))), rarp(a));
      await settle(() => events.some(({ reason }) => reason === 'armed'));
      assert.deepEqual(
        events.filter(({ reason }) => reason === 'armed').map(({ mac }) => mac),
        [a],
      );
    });
  });

  it('remembers a bounded number of strangers', async () => {
    set({}, { s1: station });
    for (let i = 0; i < 6000; i += 100)
      await exchange('s1', ...Array.from({ length: 100 }, (_, j) => plain(b, macOf(i + j), '')));
    const { strangers } = relay().counters();
    assert.ok(strangers.length > 2000 && strangers.length <= 4096, `${strangers.length} strangers`);
  });
}
