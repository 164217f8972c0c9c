import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { broadcast, ethernet, ipv4, protocols } from '../frames.ts';
import { at, network, only } from '../states.ts';
import { a, b, hex, outside, ports, slowest, type Bench } from './bench.ts';

/** A UDP datagram with so many octets of payload. */
function datagram(to: string, octets: number): Uint8Array {
  return ethernet(to, a, 0x0800, ipv4('10.0.0.1', '10.0.0.9', { length: 8 + octets }));
}

export function lengths({
  set,
  expect,
  exchange,
  exchangeSuper,
  withMtu,
  dropped,
  relay,
  itIfAble,
}: Bench): void {
  describe('a super-frame', () => {
    const frame = datagram(broadcast, 1200);
    const count = { broadcast: { framesPerSecond: 1, burst: 70 } };

    itIfAble('storm control', 'counts as the frames that it becomes', async () => {
      set({ 1: { active: at('s1'), policy: { storm: count } }, 2: { active: at('s2') } });
      assert.equal((await exchangeSuper('s1', frame, 20)).get('s2')?.length, 1); // 63 frames
      assert.equal((await exchangeSuper('s1', frame, 20)).get('s2')?.length, 1); // the bucket is not empty yet
      assert.equal((await exchangeSuper('s1', frame, 20)).get('s2')?.length ?? 0, 0);
      assert.equal(dropped('storm', { port: 's1', vsi: 1 }), 1);
    });

    it('is charged to a rate with the headers of the frames that it becomes', async () => {
      const rate = { 'from-vm': { max: slowest, burst: 4600 } };
      set({ 1: { active: at('s1'), policy: { rate } }, 2: { active: at('s2') } });
      const unicast = datagram(b, 1200);
      assert.equal((await exchangeSuper('s1', unicast, 20)).get('s2')?.length, 1); // 1242 octets, and 62 headers
      const next = datagram(b, 1400); // overdraws
      assert.equal((await exchange('s1', next, next)).get('s2')?.length, 1);
    });

    it('passes a port whose MTU its segments do not exceed', async () => {
      set({ 1: { active: at('s1') }, 2: { active: at('s2') } });
      await withMtu('s2', 1500, async () => {
        const long = datagram(b, 4000);
        assert.equal((await exchangeSuper('s1', long, 1000)).get('s2')?.length, 1);
      });
      assert.equal(dropped('mtu', { port: 's2' }), 0);
    });
  });

  describe('a frame longer than the MTU of the port that it would leave by', () => {
    const long = datagram(b, 4000);
    const longest = (octets: number, to = b) => ethernet(to, a, 0x88b5, new Uint8Array(octets));

    it('is dropped as mtu, counted at that port and of the VSI, and not as delivered', async () => {
      set({ 1: { active: at('s1') }, 2: { active: at('s2') } });
      await withMtu('s2', 1500, async () => {
        await expect('s1', long, {});
        await expect('s1', longest(1501), {});
        await expect('s1', longest(1500), { s2: [longest(1500)] });
      });
      assert.equal(dropped('mtu', { port: 's2', vsi: 2 }), 2);
      assert.equal(dropped('mtu', { port: 's2' }), 2);
      assert.equal(dropped('mtu', { port: 's1' }), 0);
      assert.equal(relay().counters().ports.get('s2')!.framesOut, 1);
      const [toVm] = Array.from(relay().counters().vsis.values(), (places) => places.get('s2')?.toVm).filter(
        Boolean,
      );
      assert.equal(toVm!.frames, 1);
    });

    it('is measured without its tag', async () => {
      set({ 1: { active: at('s1') }, 2: { active: at('s2', 7) } });
      await withMtu('s2', 1500, async () => {
        assert.equal((await exchange('s1', longest(1500))).get('s2')?.length, 1);
        assert.equal((await exchange('s1', longest(1501))).get('s2')?.length ?? 0, 0);
      });
    });

    it('still goes to the other ports', async () => {
      set({ 1: { active: at('s1') }, 2: { active: at('s2') }, 3: { active: at('s3') } });
      await withMtu('s2', 1500, async () => {
        const frame = longest(2000, broadcast);
        const out = await exchange('s1', frame);
        assert.deepEqual([...out.keys()].sort(), ['n1', 's3']);
      });
      assert.equal(dropped('mtu', { port: 's2' }), 1);
    });

    it('is dropped at a network port, and not as unknown-destination', async () => {
      set({ 1: { active: at('s1') } });
      await withMtu('n1', 1500, () => expect('s1', longest(1501, outside), {}));
      assert.equal(dropped('mtu', { port: 'n1' }), 1);
      assert.equal(dropped('unknown-destination', { port: 's1' }), 0);
    });

    itIfAble('mirror truncation', 'is mirrored if its cut copy fits', async () => {
      const mirrored = (truncate?: number) => ({
        1: {
          active: at('s1'),
          policy: {
            mirror: { session: 'probe', direction: 'from-vm' as const, ...(truncate && { truncate }) },
          },
        },
        2: { active: at('s2') },
      });
      const withMirror = { ...ports, m1: { kind: 'mirror' as const, session: 'probe' } };
      await withMtu('m1', 1500, async () => {
        set(mirrored(), withMirror);
        await expect('s1', long, { s2: [long] });
        assert.equal(dropped('mtu', { port: 'm1' }), 1);
        set(mirrored(200), withMirror);
        await expect('s1', long, { s2: [long], m1: [long.subarray(0, 200)] });
      });
    });
  });

  describe('an IPv4 packet', () => {
    const { tcp, udp } = protocols;

    it('ends where its total length says; what is behind is padding', async () => {
      const accessList = only('allow', { protocol: udp, destinationPorts: { from: 53, to: 53 } });
      set({ 1: { active: at('s1'), policy: { accessList } }, 2: { active: at('s2') } });
      const query = (total: number) =>
        ethernet(b, a, 0x0800, ipv4('10.0.0.1', '10.0.0.2', { destinationPort: 53, total }));
      for (const total of [28, 24, 0, 1500])
        assert.deepEqual((await exchange('s1', query(total))).get('s2')?.map(hex), [hex(query(total))]);
      for (const total of [1, 10, 19, 20, 23]) await expect('s1', query(total), {});
      assert.equal(dropped('access-list', { port: 's1', vsi: 1 }), 5);
    });

    it('is read behind its authentication headers, as IPv6 is', async () => {
      const accessList = only('deny', { protocol: tcp, destinationPorts: { from: 23, to: 23 } });
      set(
        { 1: { active: at('s1'), policy: { accessList } }, 2: { active: at('s2') } },
        { ...ports, n1: network(null, 20) },
      );
      const segment = (destinationPort: number) => ({ protocol: tcp, destinationPort, length: 20 });
      for (const headers of [1, 2, 5]) {
        await expect('s1', ethernet(b, a, 0x0800, ipv4('10.0.0.1', '10.0.0.2', segment(23), headers)), {});
        const web = ethernet(b, a, 0x0800, ipv4('10.0.0.1', '10.0.0.2', segment(80), headers));
        await expect('s1', web, { s2: [web] });
      }
      await expect('s1', ethernet(b, a, 0x0800, ipv4('10.0.0.1', '10.0.0.2', segment(80), 7)), {});
    });
  });
}
