import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { macToBytes, parseMac } from '../../src/domain/mac-address.ts';
import { inNamespace, nsenter } from '../../src/linux/net/namespace.ts';
import { PacketSocket } from '../../src/linux/net/packet-socket.ts';
import { CommandError, run } from '../../src/linux/run.ts';
import { deassociateFrame, lldpFrame } from '../kit/kernel/control-frames.ts';
import { Agent, asked, mac, until, vsiId, Wires } from '../kit/kernel/lldpad-harness.ts';
import { links, ordinaryFrame, StationAgent, Tap } from '../kit/kernel/vm-filter-harness.ts';

const paeGroup = parseMac('01:80:c2:00:00:03');
const [eapPacket, eapolStart] = [0, 1];
const identity = 'host1';

/** EAPOL (IEEE 802.1X), version 1 */
function eapol(source: string, type: number, body: readonly number[]): Uint8Array {
  const frame = new Uint8Array(60);
  const header = [0x88, 0x8e, 1, type, 0, body.length];
  frame.set([...macToBytes(paeGroup), ...macToBytes(parseMac(source)), ...header, ...body]);
  return frame;
}

describe("with the filter at the VMs' interfaces, the host's own protocols pass", () => {
  it('802.1X: wpa_supplicant starts, is asked who it is, and answers', async () => {
    await using wires = await Wires.lay();
    const host = wires.host('p1');
    await links(host, 'link add link eth0 name tap type macvtap mode vepa', 'link set tap promisc on up');
    const agent = new StationAgent(wires, host);
    await agent.start();
    await agent.filters('tap');
    using tap = await Tap.open(wires, host, 'tap');

    const config = join(wires.directory, 'wpa.conf');
    writeFileSync(
      config,
      `ap_scan=0\nnetwork={\n key_mgmt=IEEE8021X\n eap=MD5\n identity="${identity}"\n password="x"\n eapol_flags=0\n}\n`,
    );
    const heard: Uint8Array[] = [];
    const port = inNamespace(wires.switch, () => new PacketSocket('p1', { groups: [paeGroup] }));
    const [enter, ...args] = nsenter(host, ['wpa_supplicant', '-D', 'wired', '-i', 'eth0', '-c', config]);
    const supplicant = spawn(enter, args, { stdio: 'ignore' });
    const ended = once(supplicant, 'exit');
    try {
      const fromHost = (type: number) => {
        port.take((frame) => void heard.push(frame.slice()));
        return heard.filter((frame) => frame[12] === 0x88 && frame[13] === 0x8e && frame[15] === type);
      };
      await until(
        'EAPOL-Start goes out',
        () => fromHost(eapolStart).length,
        (count) => count > 0,
      );
      const request = [1, 7, 0, 5, 1]; // EAP request 7 of 5 octets: identity
      port.send(eapol('02:00:00:00:00:03', eapPacket, request));
      const answers = await until(
        'the answer goes out',
        () => fromHost(eapPacket),
        (frames) => frames.length > 0,
      );
      assert.equal(Buffer.from(answers[0]!).toString('latin1', 23, 23 + identity.length), identity);
    } finally {
      port.close();
      supplicant.kill();
      await ended;
    }
    assert.deepEqual(
      tap.take().filter((frame) => frame[13] === 0x8e),
      [],
      'the VM hears nothing of it',
    );
  });

  it('lldpad: it is the station, and what a VM says in its name changes nothing', async () => {
    await using wires = await Wires.lay();
    const host = wires.host('p1');
    const bridge = await Agent.start(wires, {
      profiles: [{ managerId: 'mgr1', typeId: 17, vlan: 100 }],
      vsis: [{ vsiId: vsiId(1), macs: [mac(1)], profile: 'mgr1/17/1' }],
    });
    await links(
      host,
      `link add link eth0 name tap address ${mac(1)} type macvtap mode vepa`,
      'link set tap up',
    );
    const agent = new StationAgent(wires, host);
    await agent.start();
    await agent.filters('tap');
    await agent.stop('SIGTERM'); // the filter stays
    const lldpad = await wires.station('p1');
    assert.deepEqual(await lldpad.request('associate', asked(1, [`100-${mac(1)}`])), { kind: 'granted' });
    const { neighbour } = await bridge.port('p1');
    assert.ok(neighbour);
    using tap = await Tap.open(wires, host, 'tap');
    const ear = wires.switchEnd('p1');
    for (let sequence = 1; sequence < 50; sequence++) {
      tap.say(lldpFrame(neighbour.mac, 0));
      tap.say(deassociateFrame(neighbour.mac, 1, sequence));
    }
    tap.say(ordinaryFrame(mac(1)));
    await until(
      'the VM was heard',
      () => {
        let found = false;
        ear.take((frame) => (found ||= frame[12] === 0x88 && frame[13] === 0xb5));
        return found;
      },
      Boolean,
    );
    const after = await bridge.port('p1');
    assert.deepEqual(
      [after.neighbour?.mac, after.vsis.map(({ association }) => association)],
      [neighbour.mac, ['associated']],
    );

    await agent.start();
    const log = readFileSync(join(wires.directory, 'station-2.log'), 'utf8');
    assert.match(log, /eth0: another program speaks ECP there/);
  });

  it('LACP: a bond comes up, and a VM above it cannot say LACP', async (t) => {
    await using wires = await Wires.lay();
    const host = wires.host('p1');
    // nobody but the kernel can say so: an iproute2 that lacks it says something else
    try {
      await links(host, 'link add bond0 type bond mode 802.3ad lacp_rate fast miimon 100');
    } catch (error) {
      assert.ok(error instanceof CommandError && /Unknown device type/.test(error.message), String(error));
      assert.ok(!existsSync('/sys/module/bonding'), 'the kernel has the module');
      t.skip('this kernel has no bonding');
      return;
    }
    await links(wires.switch, 'link add bond0 type bond mode 802.3ad lacp_rate fast miimon 100');
    for (const [namespace, member] of [
      [host, 'eth0'],
      [wires.switch, 'p1'],
    ] as const)
      await links(
        namespace,
        `link set ${member} down`,
        `link set ${member} master bond0`,
        'link set bond0 up',
      );
    await links(host, 'link add link bond0 name tap type macvtap mode vepa', 'link set tap up');
    for (const uplink of ['bond0', 'eth0']) {
      const agent = new StationAgent(wires, host, uplink);
      await agent.start();
      const { uplink: filtered } = await agent.filters('tap');
      assert.equal(filtered?.name, 'bond0');
      const show = nsenter(host, ['cat', '/proc/net/bonding/bond0']);
      await until(
        'LACP has found its partner',
        () => run(show[0], show.slice(1)),
        (text) => /Partner Mac Address: (?!00:00:00:00:00:00)/.test(text),
      );
      using tap = await Tap.open(wires, host, 'tap');
      const frame = ordinaryFrame(mac(1), parseMac('01:80:c2:00:00:02'));
      tap.say(frame);
      const [shown] = (await agent.status()).interfaces;
      assert.ok(shown!.dropped.fromVm > 0);
      await agent.stop('SIGTERM');
    }
  });
});
