import assert from 'node:assert/strict';
import { test } from 'node:test';
import { dialectNames } from '../../src/domain/dialect.ts';
import type { VdpErrorCode } from '../../src/protocol/vdp/association.ts';
import { Agent, mac, until, vsiId, Wires } from '../kit/kernel/lldpad-harness.ts';

const invalidArgument = -22;
/** as libvirt asks */
const vm = { vsiId: vsiId(1), managerId: 12, typeId: 18, typeVersion: 1, mac: mac(1), vid: 0 };

for (const dialect of dialectNames)
  test(`lldpad is told the VLAN of a profile whose frames are tagged (${dialect})`, async () => {
    await using wires = await Wires.lay();
    const agent = await Agent.start(wires, {
      profiles: [{ managerId: '0x0c', typeId: 18, vlan: 100, tagged: true }],
      vsis: [{ vsiId: vm.vsiId, macs: [vm.mac], profile: '0x0c/18/1' }],
    });
    const netlink = wires.netlink('p1', await wires.station('p1', { dialect, groupIds: false }));
    assert.equal(netlink.request('associate', vm), 0);
    await until(
      'granted',
      () => netlink.responses().get(vm.vsiId),
      (response) => response === 0,
    );
    const [held] = (await agent.port('p1')).vsis;
    assert.deepEqual(held?.filter.entries, [{ mac: vm.mac, vid: 100 }]);
    // by draft 0.2 it knows the VSI by its name alone
    if (dialect === 'ratified') assert.equal(netlink.request('de-associate', vm), invalidArgument);
    const adopted = { ...vm, vid: dialect === 'ratified' ? 100 : 0 };
    assert.equal(netlink.request('de-associate', adopted), 0);
    await until(
      'released',
      () => agent.story(vm.vsiId),
      (story) => story.at(-1) === 'released at p1: requested',
    );
  });

test('each refusal reaches lldpad by draft 0.2 as what it can say there, and leaves nothing', async () => {
  await using wires = await Wires.lay();
  let code: VdpErrorCode = 'invalid format';
  const bridge = wires.scripted(() => ({ kind: 'refuse', code, reason: 'test' }));
  const station = await wires.station('p1', { dialect: 'draft', groupIds: false });
  const netlink = wires.netlink('p1', station);
  const codes: [VdpErrorCode, number][] = [
    ['invalid format', 1],
    ['insufficient resources', 2],
    ['unable to contact VSI manager', 2],
    ['other failure', 4],
    ['invalid VID, GroupID or MAC address', 1],
  ];
  for (const [i, [refused, response]] of codes.entries()) {
    code = refused;
    const vsi = { ...vm, vsiId: vsiId(i + 1), mac: mac(i + 1) };
    assert.equal(netlink.request('associate', vsi), 0);
    const answered = await until(
      refused,
      () => netlink.responses().get(vsi.vsiId),
      (answer) => answer !== null,
    );
    assert.equal(answered, response, refused);
    assert.equal(netlink.responses().has(vsi.vsiId), false);
    assert.deepEqual(bridge.driver.machine.state().vsis, []);
  }
});
