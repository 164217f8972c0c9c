import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { after, afterEach, before, describe, it } from 'node:test';
import {
  RelayError,
  type DropReason,
  type Relay,
  type RelayEvent,
  type RelayState,
} from '../../../src/relay/relay.ts';
import {
  broadcast,
  ethernet,
  gratuitousArp,
  ipv4,
  ipv6,
  neighbourAdvertisement,
  plain,
  rarp,
} from './frames.ts';
import { anyState } from './arbitrary.ts';
import { at, idOf, macOf, network, only, state, station, type VsiSpec } from './states.ts';

/** A relay whose ports s1, s2, s3, n1, n2 and m1 somebody stands at, with everything that comes out of them. */
export interface Harness {
  readonly relay: Relay;
  apply(state: RelayState): void;
  /** Sends the frames into the port one after the other; all that left by any port since, per port in order. */
  exchange(port: string, ...frames: Uint8Array[]): Promise<Map<string, Uint8Array[]>>;
  close(): Promise<void>;
}

const [a, b, c, outside] = [macOf(1), macOf(2), macOf(3), '02:00:00:00:00:99'];
const slowest = 8000; // bit/s: an octet a millisecond, so that no test is quick or slow enough to matter

/** The contract of `Relay`, sentence by sentence, for any driver. */
export function conformance(driver: string, open: () => Promise<Harness>): void {
  describe(`${driver} relay`, () => {
    let harness: Harness;
    const ports = { s1: station, s2: station, s3: station, n1: network(null, 10, 20) };
    const events: RelayEvent[] = [];

    before(async () => {
      harness = await open();
      harness.relay.watch((event) => events.push(event));
    });
    afterEach(() => {
      harness.apply(state({}));
      events.length = 0;
    });
    after(() => harness.close());

    const set = (vsis: Record<number, VsiSpec>, others: Parameters<typeof state>[0] = ports) =>
      harness.apply(state(others, vsis));

    /** Sends one frame and states all that comes out. */
    async function expect(port: string, frame: Uint8Array, out: Record<string, Uint8Array[]>): Promise<void> {
      const got = await harness.exchange(port, frame);
      const text = (frames: Iterable<[string, Uint8Array[]]>) =>
        Object.fromEntries(Array.from(frames, ([name, list]) => [name, list.map(hex).sort()]));
      assert.deepEqual(text(got), text(Object.entries(out)));
    }

    function dropped(reason: DropReason, where: { port: string; vsi?: number }): number {
      const counters = harness.relay.counters();
      const tally =
        where.vsi === undefined
          ? counters.ports.get(where.port)
          : counters.vsis.get(idOf(where.vsi))?.get(where.port);
      return tally?.dropped[reason] ?? Number.NaN;
    }

    describe('control frames', () => {
      it('leaves 01-80-C2-00-00-00 to -0F to the agent, and relays -10', async () => {
        set({ 1: { active: at('s1') } });
        await expect('s1', plain('01:80:c2:00:00:00', a, 'control'), {});
        await expect('s1', plain('01:80:c2:00:00:0f', a, 'control'), {});
        assert.equal(harness.relay.counters().ports.get('s1')?.framesIn, 0);
        await expect('s1', plain('01:80:c2:00:00:10', a, 'group'), {
          n1: [plain('01:80:c2:00:00:10', a, 'group', 10)],
        });
      });
    });

    describe('frames from a station port', () => {
      it('drops what has no place there as unassociated, and remembers the stranger', async () => {
        set({ 1: { active: at('s1') }, 2: { active: at('s2') } });
        await expect('s1', plain(b, outside, 'wrong source'), {});
        await expect('s1', plain(b, a, 'wrong wire VID', 7), {});
        await expect('s2', plain(b, a, 'wrong port'), {});
        assert.equal(dropped('unassociated', { port: 's1' }), 2);
        assert.equal(dropped('unassociated', { port: 's2' }), 1);
        const strangers = harness.relay
          .counters()
          .strangers.map(({ port, mac, wireVid, frames }) => `${port} ${mac} ${wireVid} ${frames}`);
        assert.deepEqual(strangers.sort(), [`s1 ${a} 7 1`, `s1 ${outside} 0 1`, `s2 ${a} 0 1`].sort());
      });

      it('drops at an armed place as armed and at a released one as moved', async () => {
        set({ 1: { active: at('s1'), armed: at('s2'), released: at('s3') }, 2: { active: at('s1', 5) } });
        await expect('s2', plain(b, a, 'too early'), {});
        await expect('s3', plain(b, a, 'too late'), {});
        assert.equal(dropped('armed', { port: 's2', vsi: 1 }), 1);
        assert.equal(dropped('armed', { port: 's2' }), 1);
        assert.equal(dropped('moved', { port: 's3', vsi: 1 }), 1);
        assert.equal(dropped('moved', { port: 's3' }), 1);
        assert.deepEqual(harness.relay.counters().strangers, []);
      });

      it('takes the wire VID of the place, priority tags for none, and keeps the priority', async () => {
        set({ 1: { active: at('s1', 7) }, 2: { active: at('s2') } });
        await expect('s1', plain(b, a, 'tagged', 0xa007), { s2: [plain(b, a, 'tagged')] });
        await expect('s2', plain(a, b, 'priority', 0x6000), { s1: [plain(a, b, 'priority', 0x6007)] });
        await expect('s2', plain(a, b, 'untagged'), { s1: [plain(a, b, 'untagged', 7)] });
      });

      it('accepts each of the addresses', async () => {
        set({ 1: { active: at('s1'), addresses: [a, c] }, 2: { active: at('s2') } });
        await expect('s1', plain(b, c, 'second'), { s2: [plain(b, c, 'second')] });
        await expect('s2', plain(c, b, 'back'), { s1: [plain(c, b, 'back')] });
      });

      it('counts frames and octets without tag, and when the first and the last came', async () => {
        set({ 1: { active: at('s1', 7) }, 2: { active: at('s2') } });
        await harness.exchange('s1', plain(b, a, 'one', 7));
        const first = harness.relay.counters().vsis.get(idOf(1))!.get('s1')!;
        assert.deepEqual(first.fromVm, { frames: 1, octets: 60 });
        assert.ok(first.firstFrame !== null && first.firstFrame === first.lastFrame);
        await harness.exchange('s1', plain(b, a, 'two', 7));
        const second = harness.relay.counters().vsis.get(idOf(1))!.get('s1')!;
        assert.equal(second.firstFrame, first.firstFrame);
        assert.ok(second.lastFrame! > first.firstFrame);
        assert.deepEqual(harness.relay.counters().vsis.get(idOf(2))!.get('s2')!.toVm, {
          frames: 2,
          octets: 120,
        });
        const { s1, s2 } = Object.fromEntries(harness.relay.counters().ports);
        assert.deepEqual([s1!.framesIn, s1!.framesOut, s2!.framesIn, s2!.framesOut], [2, 0, 0, 2]);
      });
    });

    describe('frames from a network port', () => {
      it('belong to the VLAN of their tag, or to the native one', async () => {
        set(
          { 1: { active: at('s1') }, 2: { active: at('s2'), policy: { vlan: 20 } } },
          { ...ports, n1: network(10, 20) },
        );
        await expect('n1', plain(a, outside, 'native'), { s1: [plain(a, outside, 'native')] });
        await expect('n1', plain(a, outside, 'priority', 0xe000), { s1: [plain(a, outside, 'priority')] });
        await expect('n1', plain(b, outside, 'tagged', 20), { s2: [plain(b, outside, 'tagged')] });
        await expect('s1', plain(outside, a, 'native out'), { n1: [plain(outside, a, 'native out')] });
        await expect('s2', plain(outside, b, 'tagged out'), { n1: [plain(outside, b, 'tagged out', 20)] });
      });

      it('are dropped as vlan when the port does not carry theirs', async () => {
        set({ 1: { active: at('s1') } });
        await expect('n1', plain(a, outside, 'no native VLAN'), {});
        await expect('n1', plain(a, outside, 'not carried', 30), {});
        assert.equal(dropped('vlan', { port: 'n1' }), 2);
      });
    });

    describe('a frame for a VSI', () => {
      it('goes to the active and the armed place, with the tag of each', async () => {
        set({ 1: { active: at('s1'), armed: at('s2', 9) }, 2: { active: at('s3') } });
        await expect('s3', plain(a, b, 'both'), {
          s1: [plain(a, b, 'both')],
          s2: [plain(a, b, 'both', 9)],
        });
        assert.equal(harness.relay.counters().vsis.get(idOf(1))!.get('s2')!.toVm.frames, 1);
      });

      it('never goes to a released place', async () => {
        set({ 1: { active: at('s1'), released: at('s2') }, 2: { active: at('s3') } });
        await expect('s3', plain(a, b, 'there'), { s1: [plain(a, b, 'there')] });
      });

      it('goes to the network as well while the VSI is active nowhere here', async () => {
        set({ 1: { armed: at('s1') }, 2: { active: at('s2') }, 3: { released: at('s3') } });
        await expect('s2', plain(a, b, 'arriving'), {
          s1: [plain(a, b, 'arriving')],
          n1: [plain(a, b, 'arriving', 10)],
        });
        await expect('s2', plain(c, b, 'gone'), { n1: [plain(c, b, 'gone', 10)] });
        await expect('n1', plain(a, outside, 'arriving', 10), { s1: [plain(a, outside, 'arriving')] });
      });

      it('stays in its VLAN', async () => {
        set(
          { 1: { active: at('s1') }, 2: { active: at('s2'), policy: { vlan: 20 } } },
          { s1: station, s2: station },
        );
        await expect('s1', plain(b, a, 'other tenant'), {});
        assert.equal(dropped('unknown-destination', { port: 's1', vsi: 1 }), 1);
      });
    });

    describe('another unicast frame', () => {
      it('goes to every network port that carries the VLAN, but not back', async () => {
        set({ 1: { active: at('s1') } }, { ...ports, n2: network(10), m1: { kind: 'mirror', session: 'x' } });
        await expect('s1', plain(outside, a, 'out'), {
          n1: [plain(outside, a, 'out', 10)],
          n2: [plain(outside, a, 'out')],
        });
        await expect('n2', plain('02:00:00:00:00:77', outside, 'transit'), {
          n1: [plain('02:00:00:00:00:77', outside, 'transit', 10)],
        });
      });

      it('is dropped as unknown-destination when there is none', async () => {
        set({ 1: { active: at('s1') } }, { ...ports, n1: network(20) });
        await expect('s1', plain(outside, a, 'nowhere'), {});
        await expect('n1', plain(outside, c, 'nowhere'), {});
        assert.equal(dropped('unknown-destination', { port: 's1', vsi: 1 }), 1);
        assert.equal(dropped('unknown-destination', { port: 's1' }), 1);
        assert.equal(dropped('unknown-destination', { port: 'n1' }), 1);
      });
    });

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
          s3: [plain(b, a, 'hello')], // two VLANs share this untagged link
        });
        await expect('s2', plain('33:33:00:00:00:01', b, 'hello'), {
          n1: [plain('33:33:00:00:00:01', b, 'hello', 10)],
          s1: [plain('33:33:00:00:00:01', b, 'hello')],
        });
        await expect('n1', plain(broadcast, outside, 'hello', 20), { s3: [plain(c, outside, 'hello')] });
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

    describe('reflective relay', () => {
      it('turns a frame for a neighbour around', async () => {
        set({ 1: { active: at('s1') }, 2: { active: at('s1') } });
        await expect('s1', plain(b, a, 'neighbour'), { s1: [plain(b, a, 'neighbour')] });
      });

      it('is what lets a frame leave by the station port it came in by', async () => {
        set(
          { 1: { active: at('s1') }, 2: { active: at('s1'), armed: at('s2') } },
          {
            s1: { kind: 'station', reflectiveRelay: false },
            s2: station,
          },
        );
        await expect('s1', plain(b, a, 'neighbour'), { s2: [plain(b, a, 'neighbour')] });
        assert.equal(dropped('reflective-relay-off', { port: 's1' }), 1);
        assert.equal(dropped('reflective-relay-off', { port: 's1', vsi: 2 }), 1);
        set({ 1: { active: at('s1') }, 2: { active: at('s1') } });
        await expect('s1', plain(b, a, 'now'), { s1: [plain(b, a, 'now')] });
      });
    });

    describe('the access list', () => {
      const udp = (payload: Uint8Array) => ethernet(b, a, 0x0800, payload);
      const udp6 = (payload: Uint8Array) => ethernet(b, a, 0x86dd, payload);
      const dns = { protocol: 17, destinationPorts: { from: 53, to: 53 } };
      const cases: [string, ReturnType<typeof only>, Uint8Array, boolean][] = [
        ['an ethertype', only('deny', { etherType: 0x88b5 }), plain(b, a, 'x'), false],
        ['another ethertype', only('deny', { etherType: 0x88b6 }), plain(b, a, 'x'), true],
        [
          'an IPv4 source',
          only('deny', { source: { address: '10.1.0.0', length: 16 } }),
          udp(ipv4('10.1.2.3', '10.9.9.9')),
          false,
        ],
        [
          'a source outside',
          only('deny', { source: { address: '10.1.0.0', length: 17 } }),
          udp(ipv4('10.1.200.3', '10.9.9.9')),
          true,
        ],
        [
          'an IPv4 destination',
          only('allow', { destination: { address: '10.9.9.9', length: 32 } }),
          udp(ipv4('10.1.2.3', '10.9.9.9')),
          true,
        ],
        [
          'any IPv4',
          only('deny', { source: { address: '0.0.0.0', length: 0 } }),
          udp6(ipv6('2001:db8::1', '2001:db8::2')),
          true,
        ],
        [
          'an IPv6 source',
          only('deny', { source: { address: '2001:db8::', length: 32 } }),
          udp6(ipv6('2001:db8::1', '2001:dead::2')),
          false,
        ],
        [
          'an IPv6 destination',
          only('deny', { destination: { address: '2001:db8:8000::', length: 33 } }),
          udp6(ipv6('2001:db8::1', '2001:db8::2')),
          true,
        ],
        [
          'a protocol',
          only('deny', { protocol: 6 }),
          udp(ipv4('10.0.0.1', '10.0.0.2', { protocol: 6, length: 20 })),
          false,
        ],
        ['another protocol', only('deny', { protocol: 6 }), udp(ipv4('10.0.0.1', '10.0.0.2')), true],
        [
          'a destination port',
          only('deny', dns),
          udp(ipv4('10.0.0.1', '10.0.0.2', { destinationPort: 53 })),
          false,
        ],
        ['another port', only('deny', dns), udp(ipv4('10.0.0.1', '10.0.0.2', { destinationPort: 54 })), true],
        [
          'a source port range',
          only('allow', { protocol: 6, sourcePorts: { from: 1000, to: 1999 } }),
          udp6(ipv6('fe80::1', 'fe80::2', { protocol: 6, sourcePort: 1999, length: 20 })),
          true,
        ],
        [
          'a port behind extension headers',
          only('deny', dns),
          udp6(ipv6('fe80::1', 'fe80::2', { destinationPort: 53 }, [0, 60, 43])),
          false,
        ],
        [
          'a first fragment',
          only('deny', dns),
          udp6(ipv6('fe80::1', 'fe80::2', { destinationPort: 53 }, [44])),
          false,
        ],
        [
          'a later fragment of what is allowed',
          only('allow', dns),
          udp(ipv4('10.0.0.1', '10.0.0.2', { offset: 100 })),
          true,
        ],
        [
          'a later fragment of what is denied',
          only('deny', dns),
          udp(ipv4('10.0.0.1', '10.0.0.2', { offset: 100 })),
          true,
        ],
        [
          'a later fragment, IPv6',
          only('allow', dns),
          udp6(ipv6('fe80::1', 'fe80::2', { offset: 100 }, [44])),
          true,
        ],
        [
          'a fragment that overlaps a TCP header',
          only('deny', { protocol: 6, destinationPorts: { from: 22, to: 22 } }),
          udp(ipv4('10.0.0.1', '10.0.0.2', { protocol: 6, offset: 1 })),
          false,
        ],
        [
          'an endless header chain',
          only('deny', { protocol: 6 }),
          udp6(ipv6('fe80::1', 'fe80::2', { protocol: 6, length: 20 }, [60, 60, 60, 60, 60, 60, 60])),
          false,
        ],
        [
          'an endless header chain, not allowed',
          only('allow', { protocol: 6 }),
          udp6(ipv6('fe80::1', 'fe80::2', { protocol: 6, length: 20 }, [60, 60, 60, 60, 60, 60, 60])),
          false,
        ],
        [
          'an IP header that is none',
          only('deny', { etherType: 0x0806 }),
          udp(Uint8Array.of(0x60, 1, 2)),
          false,
        ],
        ['frames that are not IP', only('deny', { protocol: 17 }), plain(b, a, 'x'), true],
      ];
      for (const [what, accessList, frame, passes] of cases)
        it(`${passes ? 'passes' : 'stops'} ${what}, from the VM and to the VM`, async () => {
          set({ 1: { active: at('s1'), policy: { accessList } }, 2: { active: at('s2') } });
          await expect('s1', frame, passes ? { s2: [frame] } : {});
          assert.equal(dropped('access-list', { port: 's1', vsi: 1 }), passes ? 0 : 1);
          set({ 1: { active: at('s1') }, 2: { active: at('s2'), policy: { accessList } } });
          await expect('s1', frame, passes ? { s2: [frame] } : {});
          assert.equal(dropped('access-list', { port: 's2', vsi: 2 }), passes ? 0 : 1);
        });

      it('goes by the first rule that matches', async () => {
        const rule = { direction: 'both', source: { address: '10.0.0.1', length: 32 } } as const;
        const frame = udp(ipv4('10.0.0.1', '10.0.0.2'));
        const filler = Array.from({ length: 61 }, () => ({
          action: 'deny' as const,
          direction: 'both' as const,
          etherType: 0x1234,
        }));
        for (const action of ['allow', 'deny'] as const) {
          const last = action === 'allow' ? ('deny' as const) : ('allow' as const);
          const rules = [...filler, { ...rule, action }, { ...rule, action: last }];
          set({
            1: { active: at('s1'), policy: { accessList: { rules, otherwise: last } } },
            2: { active: at('s2') },
          });
          await expect('s1', frame, action === 'allow' ? { s2: [frame] } : {});
        }
      });

      it('looks behind the 802.1Q tag, and tells the directions apart', async () => {
        const accessList = only('deny', { direction: 'from-vm', protocol: 17 });
        set({ 1: { active: at('s1', 7), policy: { accessList } }, 2: { active: at('s2') } });
        await expect('s1', ethernet(b, a, 0x0800, ipv4('10.0.0.1', '10.0.0.2'), 7), {});
        const back = ipv4('10.0.0.2', '10.0.0.1');
        await expect('s2', ethernet(a, b, 0x0800, back), { s1: [ethernet(a, b, 0x0800, back, 7)] });
      });
    });

    describe('the rate', () => {
      const frames = ['one', 'two', 'three'].map((text) => plain(b, a, text));
      const burst = 100; // two frames of 60 octets, the second of which overdraws

      it('from the VM: passes the burst and drops the rest as rate', async () => {
        set({
          1: { active: at('s1'), policy: { rate: { 'from-vm': { max: slowest, burst } } } },
          2: { active: at('s2') },
        });
        const out = await harness.exchange('s1', ...frames);
        assert.deepEqual(out.get('s2')?.map(hex), frames.slice(0, 2).map(hex));
        assert.equal(dropped('rate', { port: 's1', vsi: 1 }), 1);
      });

      it('to the VM: is charged once per frame, not once per copy', async () => {
        set({
          1: { active: at('s1') },
          2: { active: at('s2'), armed: at('s3'), policy: { rate: { 'to-vm': { max: slowest, burst } } } },
        });
        const out = await harness.exchange('s1', ...frames);
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
        assert.equal((await harness.exchange('s1', ...frames)).get('s2')?.length, 1);
        limited(61);
        assert.equal((await harness.exchange('s1', ...frames)).get('s2')?.length, 2);
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
        assert.equal((await harness.exchange('s1', denied, denied, frames[0]!)).get('s2')?.length, 1);
      });
    });

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
                  'to-vm': { max: 2 ** 40, burst: 65_536 },
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
        harness.apply(desired);
        assert.deepEqual(harness.relay.held(), desired);
        harness.apply(state({ s1: station }));
        assert.deepEqual(harness.relay.held(), state({ s1: station }));
      });

      it('holds any state, after any other', () => {
        fc.assert(
          fc.property(fc.array(anyState, { minLength: 1, maxLength: 4 }), (states) => {
            for (const desired of states) {
              harness.apply(desired);
              assert.deepEqual(harness.relay.held(), desired);
            }
          }),
          { numRuns: 60 },
        );
      });

      it('keeps the counters of a place that changes its part, and begins new ones for a new place', async () => {
        set({ 1: { active: at('s1'), armed: at('s2') }, 2: { active: at('s3') } });
        await harness.exchange('s1', plain(b, a, 'x'));
        set({ 1: { active: at('s2'), released: at('s1') }, 2: { active: at('s3') } });
        await harness.exchange('s2', plain(b, a, 'x'), plain(b, a, 'x'));
        const places = harness.relay.counters().vsis.get(idOf(1))!;
        assert.deepEqual([...places.keys()].sort(), ['s1', 's2']);
        assert.equal(places.get('s1')!.fromVm.frames, 1);
        assert.equal(places.get('s2')!.fromVm.frames, 2);
        set({ 1: { active: at('s2') }, 2: { active: at('s3') } });
        set({ 1: { active: at('s2'), armed: at('s1') }, 2: { active: at('s3') } });
        assert.equal(harness.relay.counters().vsis.get(idOf(1))!.get('s1')!.fromVm.frames, 0);
        assert.equal(harness.relay.counters().vsis.get(idOf(1))!.get('s2')!.fromVm.frames, 2);
      });

      it('tells the counters of one VSI, and of the ports, as it does those of all', async () => {
        set({ 1: { active: at('s1'), armed: at('s2') }, 2: { active: at('s3') } });
        await harness.exchange('s1', plain(b, a, 'x'));
        const { relay } = harness;
        assert.deepEqual(relay.countersOf(idOf(1)), relay.counters().vsis.get(idOf(1)));
        assert.deepEqual(relay.portCounters(), relay.counters().ports);
        assert.equal(relay.countersOf(idOf(9)).size, 0);
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
        assert.equal(harness.relay.counters().ports.has('n1'), false);
        assert.equal(harness.relay.counters().vsis.has(idOf(1)), false);
      });

      const refused: [string, RelayState, RegExp][] = [
        ['a place at no port', state({}, { 1: { active: at('s1') } }), /s1 is no port/],
        [
          'a place at a network port',
          state({ n1: network(1) }, { 1: { active: at('n1') } }),
          /n1 is a network port/,
        ],
        ['no place', state({ s1: station }, { 1: {} }), /no place/],
        [
          'two places at one port',
          state({ s1: station }, { 1: { active: at('s1'), armed: at('s1', 2) } }),
          /on one port/,
        ],
        ['no address', state({ s1: station }, { 1: { active: at('s1'), addresses: [] } }), /0 addresses/],
        [
          'an address in a VLAN twice',
          state(
            { s1: station, s2: station },
            { 1: { active: at('s1') }, 2: { active: at('s2'), addresses: [a] } },
          ),
          /in VLAN 10 belongs to/,
        ],
        [
          'an address at a place twice',
          state(
            { s1: station },
            { 1: { active: at('s1') }, 2: { active: at('s1'), addresses: [a], policy: { vlan: 20 } } },
          ),
          /at s1, wire VID 0 belongs to/,
        ],
        [
          'a label of 256 octets',
          state({ s1: station }, { 1: { active: at('s1'), label: 'ä'.repeat(128) } }),
          /label/,
        ],
        [
          '65 rules',
          state(
            { s1: station },
            {
              1: {
                active: at('s1'),
                policy: {
                  accessList: {
                    otherwise: 'deny',
                    rules: Array.from({ length: 65 }, () => ({
                      action: 'allow' as const,
                      direction: 'both' as const,
                    })),
                  },
                },
              },
            },
          ),
          /65 rules; 64/,
        ],
        [
          'a rate below 8000',
          state(
            { s1: station },
            { 1: { active: at('s1'), policy: { rate: { 'to-vm': { max: 7999, burst: 9000 } } } } },
          ),
          /max 7999/,
        ],
        [
          'a prefix that is none',
          state(
            { s1: station },
            {
              1: {
                active: at('s1'),
                policy: { accessList: only('deny', { source: { address: '10.0.0.1', length: 33 } }) },
              },
            },
          ),
          /10\.0\.0\.1\/33/,
        ],
        [
          'a session with two ports',
          state({ s1: { kind: 'mirror', session: 'x' }, s2: { kind: 'mirror', session: 'x' } }),
          /already has port s1/,
        ],
        ['a name of 16 octets', state({ interface1234567: station }), /1 to 15 octets/],
      ];
      for (const [what, desired, message] of refused)
        it(`refuses ${what}, and leaves all as it was`, async () => {
          set({ 1: { active: at('s1') }, 2: { active: at('s2') } });
          const before = harness.relay.held();
          assert.throws(
            () => harness.apply(desired),
            (error) =>
              error instanceof RelayError && message.test(error.message) && !error.message.includes('\n'),
          );
          assert.deepEqual(harness.relay.held(), before);
          await expect('s1', plain(b, a, 'still'), { s2: [plain(b, a, 'still')] });
        });
    });

    describe('announcements', () => {
      it('are told with port, address and reason, of every kind and only where the source may not send', async () => {
        set({ 1: { active: at('s1'), armed: at('s2'), released: at('s3') } });
        const gone = macOf(9);
        await harness.exchange('s1', gratuitousArp(gone), gratuitousArp(a));
        await harness.exchange('s2', rarp(a));
        await harness.exchange('s3', neighbourAdvertisement(a));
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
        await harness.exchange(
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
        await harness.exchange('s1', ...Array.from({ length: 200 }, () => rarp(macOf(9))));
        await settle(() => events.length >= 20);
        assert.ok(events.length >= 20 && events.length < 100, `${events.length} events`);
        assert.equal(dropped('unassociated', { port: 's1' }), 200);
      });
    });

    it('remembers a bounded number of strangers', async () => {
      set({}, { s1: station });
      for (let i = 0; i < 6000; i += 100)
        await harness.exchange('s1', ...Array.from({ length: 100 }, (_, j) => plain(b, macOf(i + j), '')));
      const { strangers } = harness.relay.counters();
      assert.ok(strangers.length > 2000 && strangers.length <= 4096, `${strangers.length} strangers`);
    });
  });
}

function hex(frame: Uint8Array): string {
  return Buffer.from(frame).toString('hex');
}

/** Lets the event loop turn until something has happened that is under way, for five seconds at most. */
async function settle(done: () => boolean): Promise<void> {
  for (const end = Date.now() + 5000; !done() && Date.now() < end;)
    await new Promise((resolve) => setImmediate(resolve));
}
