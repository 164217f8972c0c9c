import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { LldpadNetlink } from '../../src/bench/peers/lldpad-netlink.ts';
import type { Lldpad } from '../../src/bench/peers/lldpad.ts';
import { dialectNames } from '../../src/domain/dialect.ts';
import type { PacketSocket } from '../../src/linux/net/packet-socket.ts';
import type { VdpMode } from '../../src/protocol/vdp/association.ts';
import { plain, rarp } from '../kit/relay/frames.ts';
import { Agent, mac, until, vsiId, Wires } from '../kit/kernel/lldpad-harness.ts';

const outside = '02:00:00:00:00:99';
/** as libvirt asks: the VID is left to the bridge */
const vm = { vsiId: vsiId(1), managerId: 12, typeId: 17, typeVersion: 1, mac: mac(1), vid: 0 };
const neighbour = { ...vm, vsiId: vsiId(2), mac: mac(2) };
const profile = '0x0c/17/1';

for (const dialect of dialectNames)
  describe(`a migration whose ASSOCIATE is late (lldpad, ${dialect})`, () => {
    let wires: Wires;
    let agent: Agent;
    let source: LldpadNetlink;
    let destination: LldpadNetlink;
    let station: Lldpad;
    let atSource: PacketSocket;
    let atDestination: PacketSocket;

    before(async () => {
      wires = await Wires.lay();
      agent = await Agent.start(wires, {
        profiles: [{ managerId: '0x0c', typeId: 17, vlan: 100 }],
        vsis: [vm, neighbour].map(({ vsiId, mac }) => ({ vsiId, macs: [mac], profile })),
      });
      source = wires.netlink('p1', await wires.station('p1', { dialect, groupIds: false }));
      station = await wires.station('p2', { dialect, groupIds: false });
      destination = wires.netlink('p2', station);
      atSource = wires.hostEnd('p1');
      atDestination = wires.hostEnd('p2');
    });
    after(() => wires[Symbol.asyncDispose]());

    /** Has lldpad ask, and waits until it is granted. */
    async function ask(port: 'p1' | 'p2', mode: VdpMode, vsi = vm): Promise<void> {
      assert.equal((port === 'p1' ? source : destination).request(mode, vsi), 0);
      const word = `${mode} at ${port}: granted`;
      await until(
        word,
        () => agent.story(vsi.vsiId),
        (story) => story.includes(word),
      );
    }
    const say = (socket: PacketSocket) => socket.send(plain(outside, vm.mac, 'data'));
    const dropped = async (port: string) => (await agent.shown(port)).frames.dropped;

    it('is armed and heard, and does not speak while it speaks at the source, whoever announces it', async () => {
      await ask('p1', 'associate');
      await ask('p2', 'associate', neighbour);
      await ask('p2', 'pre-associate');
      const forged = 3;
      for (let i = 0; i < forged; i++) {
        say(atSource);
        atDestination.send(rarp(vm.mac)); // by the neighbour, say
        say(atSource);
      }
      await until(
        'the announcements are in',
        async () => (await dropped('p2'))['armed'],
        (armed) => armed === forged,
      );
      await until(
        'and are looked at',
        () => agent.log().filter((message) => message.includes('it still speaks on p1')).length,
        (count) => count === forged,
      );
      assert.equal(await agent.placeOf('p2', vm.vsiId), 'armed');
    });

    it('is active by its own word as soon as it is silent at the source, and nothing of it is dropped after that', async () => {
      process.kill(station.pid, 'SIGSTOP'); // its ASSOCIATE is not to be had
      try {
        atDestination.send(rarp(vm.mac));
        await until(
          'it is active',
          () => agent.placeOf('p2', vm.vsiId),
          (place) => place === 'active',
        );
        const before = await agent.shown('p2');
        for (let i = 0; i < 100; i++) say(atDestination);
        await until(
          'its frames are in',
          async () => (await agent.shown('p2')).frames.in,
          (frames) => frames === before.frames.in + 100,
        );
        const { dropped } = (await agent.shown('p2')).frames;
        assert.deepEqual(
          { ...dropped, 'unknown-destination': 0 },
          { ...before.frames.dropped, 'unknown-destination': 0 },
        );
      } finally {
        process.kill(station.pid, 'SIGCONT');
      }
    });

    it("stays there, whatever the source's keep-alives and the late ASSOCIATE say", async () => {
      const renewals = async () => (await agent.port('p1')).counters.vdp.commandsSucceeded;
      const first = await renewals();
      await until('the source renews what it had', renewals, (count) => count > first);
      assert.equal(await agent.placeOf('p1', vm.vsiId), 'released');
      const granted = async () => (await agent.port('p2')).counters.vdp.commandsSucceeded;
      const before = await granted();
      assert.equal(destination.request('associate', vm), 0);
      await until('the late ASSOCIATE is granted', granted, (count) => count > before);
      if (dialect === 'ratified')
        await until(
          'lldpad knows',
          () => station.held(vm.vsiId),
          (text) => text.includes('mode = assoc'),
        );
      assert.equal(await agent.placeOf('p2', vm.vsiId), 'active');
      assert.equal(source.request('de-associate', vm), 0);
      await until(
        'the source has let go',
        () => agent.placeOf('p1', vm.vsiId),
        (place) => place === undefined,
      );
      // what lldpad asks for at p2, again and at last, moves nothing
      const moves = agent.story(vm.vsiId).filter((word) => !word.endsWith('associate at p2: granted'));
      assert.deepEqual(moves, [
        'associate at p1: granted',
        'announces itself at p2: active for now',
        'released at p1: requested',
      ]);
    });
  });
