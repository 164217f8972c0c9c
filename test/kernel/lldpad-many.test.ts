import assert from 'node:assert/strict';
import { test } from 'node:test';
import { unheard, type NetlinkVsi } from '../../src/bench/peers/lldpad-netlink.ts';
import type { VdpMode } from '../../src/protocol/vdp/association.ts';
import { Agent, mac, quick, until, vsiId, Wires } from '../kit/kernel/lldpad-harness.ts';

const vlan = 100;
// VSIs of their own each: lldpad lets go of the last of a sequence in its own time
const oneByOne = Array.from({ length: 1000 }, (_, i) => i + 1);
const atOnce = oneByOne.map((n) => 1000 + n);
const book = {
  profiles: [{ managerId: '0x0c', typeId: 17, vlan }],
  vsis: [...oneByOne, ...atOnce].map((n) => ({ vsiId: vsiId(n), macs: [mac(n)], profile: '0x0c/17/1' })),
};

/** VSI n as libvirt has lldpad ask for it. */
function libvirts(n: number): NetlinkVsi {
  return { vsiId: vsiId(n), managerId: 12, typeId: 17, typeVersion: 1, mac: mac(n), vid: vlan };
}

for (const dialect of ['ratified', 'draft'] as const)
  test(`1,000 VSIs by netlink, as libvirt does it, ${dialect}: in sequence and in a burst, none lost`, async () => {
    await using wires = await Wires.lay();
    // lldpad sends at most 390 keep-alives per second, so that 1,000 VSIs want some time between two
    const timers = { ...quick, rwd: 20, rka: 21 };
    const agent = await Agent.start(wires, book, timers);
    const station = await wires.station('p1', { dialect, timers });
    const netlink = wires.netlink('p1', station);
    const held = (count: number) =>
      until(
        `${count} held`,
        () => agent.port('p1'),
        ({ vsis }) => vsis.length === count,
        100,
      );
    // not 0: lldpad is busy with the answer before, and would be for 15.8 s if that were lost
    const ask = (mode: VdpMode, vsi: NetlinkVsi) =>
      until(
        `${mode} of ${vsi.vsiId}`,
        () => netlink.request(mode, vsi),
        (error) => error === 0,
        1,
      );

    for (const n of oneByOne) {
      await ask('associate', libvirts(n));
      await until(
        `the answer for VSI ${n}`,
        () => netlink.responses().get(vsiId(n)),
        (answer) => answer === 0,
        1,
      );
      await ask('de-associate', libvirts(n));
    }
    await held(0);

    for (const n of atOnce) await ask('associate', libvirts(n));
    const { counters } = await held(atOnce.length);
    assert.deepEqual(counters.ignored, {});
    assert.deepEqual(await unheard(netlink, atOnce.map(libvirts), 5_000), []);
    // by draft 0.2 lldpad repeats a de-association until it is asked, as libvirt does, and 37 fill its ECPDU
    await until(
      'lldpad has none',
      () => netlink.responses().size,
      (size) => dialect === 'ratified' || size === 0,
    );
    await held(0);
  });
