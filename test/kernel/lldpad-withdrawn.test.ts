import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { LldpadNetlink } from '../../src/bench/peers/lldpad-netlink.ts';
import { dialectNames } from '../../src/domain/dialect.ts';
import { parseVid } from '../../src/domain/vid.ts';
import { Agent, mac, until, vsiId, Wires } from '../kit/kernel/lldpad-harness.ts';
import { Manager, profile } from '../kit/kernel/manager-beside.ts';

/** the VID is left to the bridge, or said */
const vm = (n: number, vid = 0) => ({
  vsiId: vsiId(n),
  managerId: 12,
  typeId: 17,
  typeVersion: 1,
  mac: mac(n),
  vid,
});

for (const dialect of dialectNames)
  describe(`what the administrator takes away, lldpad loses (${dialect})`, () => {
    let wires: Wires;
    let manager: Manager;
    let agent: Agent;
    let netlink: LldpadNetlink;

    before(async () => {
      wires = await Wires.lay();
      manager = await Manager.start(wires);
      for (const n of [1, 2, 3, 4]) await manager.grant(n);
      agent = await Agent.start(wires, { manager: manager.url });
      netlink = wires.netlink('p1', await wires.station('p1', { dialect, groupIds: false }));
    });
    after(async () => {
      manager?.[Symbol.dispose]();
      await wires[Symbol.asyncDispose]();
    });

    const response = (n: number) => netlink.responses().get(vsiId(n));
    async function associate(n: number, vid = 0): Promise<void> {
      assert.equal(netlink.request('associate', vm(n, vid)), 0);
      await until(
        `VSI ${n} is granted`,
        () => response(n),
        (response) => response === 0,
      );
    }
    async function isLost(n: number, reason: RegExp): Promise<void> {
      await until(
        `lldpad has lost VSI ${n}`,
        () => response(n),
        (response) => response !== 0, // by draft 0.2 it keeps its name
      );
      const [why, what] = agent.story(vsiId(n)).slice(-2);
      assert.match(why!, reason);
      assert.equal(what, 'released at p1: by the bridge');
      assert.equal((await agent.held('p1'))[vsiId(n)], undefined);
    }

    /** By draft 0.2 lldpad does not ask again for what a bridge has let go of, until it is restarted. */
    async function mayAskAgain(n: number, vid = 0): Promise<void> {
      if (dialect === 'ratified') await associate(n, vid);
    }

    it('a VSI that is deleted', async () => {
      await associate(1);
      await manager.api.delete('vsis', vsiId(1));
      await isLost(1, /^at p1: withdrawn/);
      await manager.grant(1);
      await mayAskAgain(1);
    });

    it('a host that it may be at', async () => {
      await associate(2);
      await manager.grant(2, ['another-host']);
      await isLost(2, /^at p1: .*may not appear at station/);
    });

    it('the VLAN that its frames are tagged with, but not one that the bridge chooses', async () => {
      await associate(3, 100);
      await associate(4);
      await manager.api.put('profiles', { ...profile, vlan: parseVid(200) });
      await isLost(3, /^at p1: its profile has no VLAN 100 any more/);
      assert.equal((await agent.held('p1'))[vsiId(4)], 'associated');
      assert.equal(response(4), 0);
      await mayAskAgain(3, 200);
    });
  });
