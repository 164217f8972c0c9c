import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { behind, ethernet, plain } from '../frames.ts';
import { at, idOf, network, only, station } from '../states.ts';
import { a, b, c, hex, outside, ports, type Bench } from './bench.ts';

export function forwarding({ dropped, exchange, expect, pass, relay, set }: Bench): void {
  describe('control frames', () => {
    it('relays none from 01-80-C2-00-00-00 to -0F, but -10', async () => {
      set({ 1: { active: at('s1') } });
      await expect('s1', plain('01:80:c2:00:00:00', a, 'control'), {});
      await expect('s1', plain('01:80:c2:00:00:0f', a, 'control'), {});
      assert.equal(relay().counters().ports.get('s1')?.framesIn, 0);
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
      const strangers = relay()
        .counters()
        .strangers.map(({ port, mac, wireVid, frames }) => `${port} ${mac} ${wireVid} ${frames}`);
      assert.deepEqual(strangers.sort(), [`s1 ${a} 7 1`, `s1 ${outside} 0 1`, `s2 ${a} 0 1`].sort());
    });

    it('goes on for 100 ms where the VSI has just left, by its policy and counted there, and then is dropped as moved', async () => {
      const rest = { 2: { active: at('s3') } };
      const accessList = only('deny', { direction: 'from-vm', etherType: 0x0800 });
      const policy = { accessList, trunk: [20] } as never;
      set({ 1: { active: at('s1', 7), armed: at('s2'), policy }, ...rest });
      set({ 1: { active: at('s2'), released: at('s1', 7), policy }, ...rest });
      const out = await exchange(
        's1',
        plain(b, a, 'late', 7),
        plain(outside, a, 'trunk', 20),
        ethernet(b, a, 0x0800, undefined, 7),
        plain(c, a, 'no such VID', 8),
      );
      assert.deepEqual(out.get('s3')?.map(hex), [hex(plain(b, a, 'late'))]);
      assert.deepEqual(out.get('n1')?.map(hex), [hex(plain(outside, a, 'trunk', 20))]);
      await expect('s3', plain(a, b, 'to the VM'), { s2: [plain(a, b, 'to the VM')] }); // it moved nothing
      const left = relay().counters().vsis.get(idOf(1))!.get('s1')!;
      assert.deepEqual(left.fromVm, { frames: 2, octets: 120 });
      assert.deepEqual([left.dropped.moved, left.dropped['access-list']], [0, 1]);
      assert.equal(dropped('unassociated', { port: 's1' }), 1);
      await pass(1);
      await expect('s1', plain(b, a, 'too late', 7), {});
      assert.equal(dropped('moved', { port: 's1', vsi: 1 }), 1);
    });

    it('does not go on where the VSI was only armed, nor where it is armed again', async () => {
      const rest = { 2: { active: at('s3') } };
      set({ 1: { active: at('s1'), armed: at('s2') }, ...rest });
      set({ 1: { active: at('s1'), released: at('s2') }, ...rest });
      await expect('s2', plain(b, a, 'never active here'), {});
      set({ 1: { active: at('s2'), released: at('s1') }, ...rest });
      set({ 1: { active: at('s2'), armed: at('s1') }, ...rest });
      await expect('s1', plain(b, a, 'armed'), {});
      assert.equal(dropped('moved', { port: 's2', vsi: 1 }), 1);
      assert.equal(dropped('armed', { port: 's1', vsi: 1 }), 1);
    });

    it('goes on for 100 ms from the last change alone, however often the VSI turns', async () => {
      const rest = { 2: { active: at('s3') } };
      set({ 1: { active: at('s1'), armed: at('s2') }, ...rest });
      set({ 1: { active: at('s2'), released: at('s1') }, ...rest });
      set({ 1: { active: at('s2'), released: at('s1'), label: 'again' }, ...rest });
      await pass(1);
      set({ 1: { active: at('s2'), released: at('s1'), label: 'and again' }, ...rest });
      await expect('s1', plain(b, a, 'too late'), {});
      set({ 1: { active: at('s1'), armed: at('s2') }, ...rest });
      await expect('s1', plain(b, a, 'undone'), { s3: [plain(b, a, 'undone')] });
      set({ 1: { active: at('s2'), released: at('s1') }, ...rest });
      await expect('s1', plain(b, a, 'late again'), { s3: [plain(b, a, 'late again')] });
    });

    it('drops at an armed place as armed and at a released one as moved', async () => {
      set({ 1: { active: at('s1'), armed: at('s2'), released: at('s3') }, 2: { active: at('s1', 5) } });
      await expect('s2', plain(b, a, 'too early'), {});
      await expect('s3', plain(b, a, 'too late'), {});
      assert.equal(dropped('armed', { port: 's2', vsi: 1 }), 1);
      assert.equal(dropped('armed', { port: 's2' }), 1);
      assert.equal(dropped('moved', { port: 's3', vsi: 1 }), 1);
      assert.equal(dropped('moved', { port: 's3' }), 1);
      assert.deepEqual(relay().counters().strangers, []);
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
      await exchange('s1', plain(b, a, 'one', 7));
      const first = relay().counters().vsis.get(idOf(1))!.get('s1')!;
      assert.deepEqual(first.fromVm, { frames: 1, octets: 60 });
      assert.ok(first.firstFrame !== null && first.firstFrame === first.lastFrame);
      await exchange('s1', plain(b, a, 'two', 7));
      const second = relay().counters().vsis.get(idOf(1))!.get('s1')!;
      assert.equal(second.firstFrame, first.firstFrame);
      assert.ok(second.lastFrame! > first.firstFrame);
      assert.deepEqual(relay().counters().vsis.get(idOf(2))!.get('s2')!.toVm, {
        frames: 2,
        octets: 120,
      });
      const { s1, s2 } = Object.fromEntries(relay().counters().ports);
      assert.deepEqual([s1!.framesIn, s1!.framesOut, s2!.framesIn, s2!.framesOut], [2, 0, 0, 2]);
    });
  });

  it('drops as vlan what has an 802.1ad tag, or a tag behind its own, wherever it comes in', async () => {
    set({ 1: { active: at('s1', 7) }, 2: { active: at('s2') } }, { ...ports, n1: network(10) });
    const stacks = [
      [0x88a8, 0],
      [0x88a8, 7],
      [0x8100, 7, 0x88a8, 0],
      [0x8100, 7, 0x8100, 7],
      [0x88a8, 0, 0x8100, 7],
    ];
    for (const stack of stacks) {
      await expect('s1', behind(stack, plain(b, a, 'from a VM')), {});
      await expect('n1', behind(stack, plain(b, outside, 'from outside')), {});
    }
    for (const port of ['s1', 'n1']) assert.equal(dropped('vlan', { port }), stacks.length, `at ${port}`);
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
    it('goes to the active place alone, with its tag, and never to an armed or a released one', async () => {
      set({ 1: { active: at('s1', 9), armed: at('s2'), released: at('s3') }, 2: { active: at('s3') } });
      await expect('s3', plain(a, b, 'there'), { s1: [plain(a, b, 'there', 9)] });
      assert.equal(relay().counters().vsis.get(idOf(1))!.get('s2')!.toVm.frames, 0);
    });

    it('goes to the network while the VSI is active nowhere here', async () => {
      set({ 1: { armed: at('s1') }, 2: { active: at('s2') }, 3: { released: at('s3') } });
      await expect('s2', plain(a, b, 'arriving'), { n1: [plain(a, b, 'arriving', 10)] });
      await expect('s2', plain(c, b, 'gone'), { n1: [plain(c, b, 'gone', 10)] });
      await expect('n1', plain(a, outside, 'arriving', 10), {});
      assert.equal(dropped('unknown-destination', { port: 'n1' }), 1);
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
    it('goes to the network, but not back', async () => {
      set({ 1: { active: at('s1') } }, { ...ports, m1: { kind: 'mirror', session: 'x' } });
      await expect('s1', plain(outside, a, 'out'), { n1: [plain(outside, a, 'out', 10)] });
      await expect('n1', plain('02:00:00:00:00:77', outside, 'back', 10), {});
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

  describe('reflective relay', () => {
    it('turns a frame for a neighbour around', async () => {
      set({ 1: { active: at('s1') }, 2: { active: at('s1') } });
      await expect('s1', plain(b, a, 'neighbour'), { s1: [plain(b, a, 'neighbour')] });
    });

    it('is what lets a frame leave by the station port it came in by', async () => {
      set(
        { 1: { active: at('s1') }, 2: { active: at('s1') } },
        {
          s1: { kind: 'station', reflectiveRelay: false },
          s2: station,
        },
      );
      await expect('s1', plain(b, a, 'neighbour'), {});
      assert.equal(dropped('reflective-relay-off', { port: 's1' }), 1);
      assert.equal(dropped('reflective-relay-off', { port: 's1', vsi: 2 }), 1);
      set({ 1: { active: at('s1') }, 2: { active: at('s1') } });
      await expect('s1', plain(b, a, 'now'), { s1: [plain(b, a, 'now')] });
    });
  });
}
