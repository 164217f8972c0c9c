import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { ApiClient } from '../../src/api/client.ts';
import type { LldpadNetlink } from '../../src/bench/peers/lldpad-netlink.ts';
import { dialectNames } from '../../src/domain/dialect.ts';
import { plainForwarding, unlimited, type PortProfile } from '../../src/domain/port-profile.ts';
import { parseProfileKey, profileKey } from '../../src/domain/profile-ref.ts';
import { parseVid } from '../../src/domain/vid.ts';
import { Agent, mac, until, vsiId, Wires } from './lldpad-harness.ts';

const profile: PortProfile = {
  ref: parseProfileKey('0x0c/17/1'),
  name: 'web',
  tenant: 'red',
  tagged: false,
  ...plainForwarding,
  vlan: parseVid(100),
};
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
    let api: ApiClient;
    let agent: Agent;
    let netlink: LldpadNetlink;

    before(async () => {
      wires = await Wires.lay();
      const socket = `unix:${join(wires.directory, 'manager.sock')}`;
      const path = join(wires.directory, 'manager.yaml');
      writeFileSync(path, JSON.stringify({ database: ':memory:', listen: [socket] }));
      await wires.processes.start('manager', null, ['manager', '--config', path]);
      api = new ApiClient(socket);
      await api.put('tenants', { name: 'red', ...unlimited });
      await api.put('profiles', profile);
      for (const n of [1, 2, 3]) await grant(n);
      agent = await Agent.start(wires, { manager: socket });
      netlink = wires.netlink('p1', await wires.station('p1', { dialect, groupIds: false }));
    });
    after(async () => {
      api?.close();
      await wires[Symbol.asyncDispose]();
    });

    const grant = (n: number, hosts?: string[]) =>
      api.put('vsis', {
        vsiId: vsiId(n),
        name: `vm${n}`,
        tenant: 'red',
        macs: [mac(n)],
        profile: profileKey(profile.ref),
        ...(hosts ? { hosts } : {}),
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
        (response) => response === undefined,
      );
      const [why, what] = agent.story(vsiId(n)).slice(-2);
      assert.match(why!, reason);
      assert.equal(what, 'released at p1: by the bridge');
      assert.equal((await agent.held('p1'))[vsiId(n)], undefined);
    }

    it('a VSI that is deleted', async () => {
      await associate(1);
      await api.delete('vsis', vsiId(1));
      await isLost(1, /^at p1: withdrawn/);
      await grant(1);
      await associate(1);
    });

    it('a host that it may be at', async () => {
      await associate(2);
      await grant(2, ['another-host']);
      await isLost(2, /^at p1: .*may not appear at station/);
    });

    it('the VLAN that its frames are tagged with, but not one that the bridge chooses', async () => {
      await associate(3, 100);
      await api.put('profiles', { ...profile, vlan: parseVid(200) });
      await isLost(3, /^at p1: its profile has VLAN 200 now/);
      assert.equal((await agent.held('p1'))[vsiId(1)], 'associated');
      assert.equal(response(1), 0);
      await associate(3, 200);
    });
  });
