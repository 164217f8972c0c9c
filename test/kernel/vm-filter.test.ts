import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { parseMac } from '../../src/domain/mac-address.ts';
import { droppedAt, removeFilter } from '../../src/linux/bpf/control-filter.ts';
import { interfaceIndex } from '../../src/linux/net/interfaces.ts';
import { inNamespace, nsenter } from '../../src/linux/net/namespace.ts';
import { hairpin } from '../kit/cli/hairpin.ts';
import { mac, until, Wires } from '../kit/kernel/lldpad-harness.ts';
import {
  controlFrames,
  Ear,
  links,
  Mouth,
  namesOf,
  ordinaryFrame,
  StationAgent,
  Tap,
  vmNamespace,
  type Named,
} from '../kit/kernel/vm-filter-harness.ts';

describe("the filter at the VMs' interfaces", () => {
  let wires: Wires;
  let agent: StationAgent;
  let host: string;
  let vm: string;
  let sent: Named[];
  const cleanup = new AsyncDisposableStack();

  before(async () => {
    wires = await Wires.lay();
    cleanup.use(wires);
    host = wires.host('p1');
    vm = `${host}-vm`;
    cleanup.use(await vmNamespace(vm));
    await links(host, 'link add link eth0 name early type macvtap mode vepa', 'link set early up');
    agent = new StationAgent(wires, host);
    await agent.start();
    sent = controlFrames(mac(1), agent.mac);
    assert.equal(sent.length, 140);
  });
  after(() => cleanup.disposeAsync());

  /** Which of the control frames get out of the uplink, all sent one after the other. */
  async function getOut(say: (frame: Uint8Array) => void): Promise<string[]> {
    using ear = new Ear(wires.switch, 'p1');
    return namesOf(
      await ear.until(() => {
        for (const { frame } of sent) say(frame);
        say(ordinaryFrame(mac(1)));
      }),
      sent,
    );
  }

  const hasFilter = (namespace: string, link: string) =>
    inNamespace(namespace, () => droppedAt(interfaceIndex(link), 'vm') !== null);

  it('is at a macvtap that was there before the agent', async () => {
    const { interfaces, uplink, problem } = await agent.filters('early');
    assert.deepEqual(interfaces, [
      { name: 'early', kind: 'macvtap', namespace: null, dropped: { fromVm: 0, toVm: 0 } },
    ]);
    assert.deepEqual([uplink, problem], [{ name: 'eth0', dropped: 0 }, null]);
  });

  it('lets nothing out that is written to a macvtap, counts it, and lets the rest pass', async () => {
    using tap = await Tap.open(wires, host, 'early');
    assert.deepEqual(await getOut((frame) => tap.say(frame)), []);
    const { interfaces, uplink } = await agent.status();
    assert.deepEqual([interfaces[0]?.dropped.fromVm, uplink?.dropped], [sent.length, 0]);
  });

  it('is there before a macvtap made later is up, and stays through renaming and a new address', async () => {
    await links(host, 'link add link eth0 name late type macvtap mode vepa');
    await until('it has the filter', () => hasFilter(host, 'late'), Boolean);
    await links(host, 'link set late name web1', `link set web1 address ${mac(7)}`, 'link set web1 up');
    await agent.filters('early', 'web1');
    using tap = await Tap.open(wires, host, 'web1');
    assert.deepEqual(await getOut((frame) => tap.say(frame)), []);
  });

  it("lets nothing out that the host's own process writes to a VM's interface", async () => {
    using mouth = new Mouth(host, 'web1');
    assert.deepEqual(await getOut((frame) => mouth.say(frame)), []);
    await links(host, 'link delete web1');
    await agent.filters('early');
  });

  it("lets the host's own packet sockets say everything on the uplink", async () => {
    using mouth = new Mouth(host, 'eth0');
    assert.deepEqual(
      await getOut((frame) => mouth.say(frame)),
      sent.map(({ name }) => name),
    );
  });

  describe('where the VM is a network namespace with a root of its own', () => {
    before(async () => {
      await links(host, `link add link eth0 name mv1 address ${mac(1)} type macvlan mode vepa`);
      await until('it has the filter', () => hasFilter(host, 'mv1'), Boolean);
      await links(host, `link set mv1 netns ${vm} name eth0`);
      await links(vm, 'link set eth0 up');
    });

    it('stays with an interface that is moved there', async () => {
      const { interfaces } = await agent.filters('early', 'eth0');
      assert.ok(interfaces[1]?.namespace);
      using mouth = new Mouth(vm, 'eth0');
      assert.deepEqual(await getOut((frame) => mouth.say(frame)), []);
      const { fromVm } = (await agent.status()).interfaces[1]!.dropped;
      assert.equal(fromVm, sent.length);
    });

    it('comes to one that was made there, without an event for the host', async () => {
      await links(host, `link add link eth0 netns ${vm} name tap1 type macvtap mode vepa`);
      await links(vm, 'link set tap1 up');
      await agent.filters('early', 'tap1', 'eth0').catch(() => agent.filters('early', 'eth0', 'tap1'));
      using tap = await Tap.open(wires, vm, 'tap1');
      assert.deepEqual(await getOut((frame) => tap.say(frame)), []);
      await links(vm, 'link delete tap1');
    });

    // the agent is not asked: it would look for new interfaces first
    const drops = () => inNamespace(host, () => droppedAt(interfaceIndex('eth0'), 'uplink')!.egress);

    it('the uplink drops what goes past the interface (PACKET_QDISC_BYPASS), whatever mark it has', async () => {
      const before = drops();
      using mouth = new Mouth(vm, 'eth0', { bypass: true, mark: 0xffff, priority: 7 });
      assert.deepEqual(await getOut((frame) => mouth.say(frame)), []);
      assert.equal(drops() - before, sent.length);
    });

    it('the uplink drops what leaves by a macvlan that the VM made itself', async () => {
      await links(vm, 'link add link eth0 name own type macvlan mode vepa', 'link set own up');
      const before = drops();
      using mouth = new Mouth(vm, 'own');
      assert.deepEqual(await getOut((frame) => mouth.say(frame)), []);
      assert.equal(drops() - before, sent.length);
      await agent.filters('early', 'own', 'eth0').catch(() => agent.filters('early', 'eth0', 'own'));
      await links(vm, 'link delete own');
    });

    it("the uplink drops what the VM's kernel says without a socket: a bridge's BPDUs", async () => {
      await links(
        vm,
        'link add link eth0 name own type macvlan mode vepa',
        'link add br0 type bridge stp_state 1 forward_delay 200 hello_time 100',
        'link set own master br0',
        'link set own up',
        'link set br0 up',
      );
      const before = drops();
      using ear = new Ear(wires.switch, 'p1');
      const atOwn = () => inNamespace(vm, () => droppedAt(interfaceIndex('own'), 'vm')?.egress ?? 0);
      await until(
        'a BPDU was dropped',
        () => drops() - before + atOwn(),
        (count) => count > 0,
      );
      using mouth = new Mouth(vm, 'eth0');
      const heard = await ear.until(() => mouth.say(ordinaryFrame(mac(1))));
      const bpdus = heard.filter((frame) => frame[14] === 0x42);
      assert.deepEqual(bpdus, []);
      await links(vm, 'link delete br0', 'link delete own');
    });

    it('the uplink drops what a namespace writes to a macvtap of the host, also where that has no filter', async () => {
      using tap = await Tap.open(wires, host, 'early', vm);
      assert.deepEqual(await getOut((frame) => tap.say(frame)), []);
    });
  });

  describe('a VM that reads', () => {
    const broadcast = ordinaryFrame(mac(9), parseMac('ff:ff:ff:ff:ff:ff'));
    const heardBy = async (tap: Tap) => {
      const heard: Uint8Array[] = [];
      await until(
        'the macvtap has the broadcast',
        () => heard.push(...tap.take()),
        () => heard.some((frame) => Buffer.from(frame).equals(broadcast)),
      );
      return heard;
    };

    it('hears nothing of what the bridge says to the host and its neighbours, and the host hears all', async () => {
      await links(host, 'link set early promisc on');
      await links(vm, 'link set eth0 promisc on');
      const answers = controlFrames(mac(9));
      using tap = await Tap.open(wires, host, 'early');
      using uplink = new Ear(host, 'eth0');
      using bridge = new Mouth(wires.switch, 'p1');
      tap.take();
      const atUplink = await uplink.until(() => {
        for (const { frame } of answers) bridge.say(frame);
        bridge.say(broadcast);
      });
      assert.deepEqual(
        namesOf(atUplink, answers),
        answers.map(({ name }) => name),
      );
      assert.deepEqual(namesOf(await heardBy(tap), answers), []);
      const { interfaces } = await agent.status();
      assert.deepEqual(
        interfaces.map(({ name, dropped }) => [name, dropped.toVm >= 35]),
        [
          ['early', true],
          ['eth0', true],
        ],
      );
    });

    it("hears nothing of its neighbour's either where both are in bridge mode", async () => {
      await links(
        host,
        ...['b1', 'b2'].map((name) => `link add link eth0 name ${name} type macvtap mode bridge`),
      );
      await until('both have the filter', () => hasFilter(host, 'b1') && hasFilter(host, 'b2'), Boolean);
      await links(host, 'link set b1 up', 'link set b2 promisc on up');
      using tap = await Tap.open(wires, host, 'b2');
      using mouth = new Mouth(host, 'b1', { bypass: true });
      for (const { frame } of sent) mouth.say(frame);
      mouth.say(broadcast);
      assert.deepEqual(namesOf(await heardBy(tap), sent), []);
      await links(host, 'link delete b1', 'link delete b2');
    });

    // What is left: docs/security.md
    it('hears it all the same with a packet socket for everything, which has its copy before tc', async () => {
      const answers = controlFrames(mac(9)).filter(({ name }) => name.startsWith('ECP, untagged'));
      using ear = new Ear(vm, 'eth0');
      using bridge = new Mouth(wires.switch, 'p1');
      const heard = await ear.until(() => {
        for (const { frame } of answers) bridge.say(frame);
        bridge.say(broadcast);
      });
      assert.deepEqual(
        namesOf(heard, answers),
        answers.map(({ name }) => name),
      );
    });
  });

  describe('and the agent', () => {
    it('killed, leaves it; the next one adopts it with its counts', async () => {
      const before = await agent.status();
      await agent.stop('SIGKILL');
      using tap = await Tap.open(wires, host, 'early');
      assert.deepEqual(await getOut((frame) => tap.say(frame)), []);
      await agent.start();
      const now = await agent.status();
      assert.equal(now.interfaces[0]!.dropped.fromVm - before.interfaces[0]!.dropped.fromVm, sent.length);
      assert.equal(now.uplink!.dropped, before.uplink!.dropped);
    });

    it('puts it back where somebody took it off', async () => {
      inNamespace(host, () => {
        assert.ok(removeFilter(interfaceIndex('early'), 'vm'));
        assert.ok(removeFilter(interfaceIndex('eth0'), 'uplink'));
      });
      const { interfaces, uplink } = await agent.status();
      assert.deepEqual([interfaces[0]?.dropped.fromVm, uplink?.dropped], [0, 0]);
    });

    it('has it on the new uplink when that is made anew', async () => {
      await wires.unplug('p1');
      await wires.plug('p1');
      await links(host, 'link add link eth0 name again type macvtap mode vepa', 'link set again up');
      await until('it has the filter', () => hasFilter(host, 'again'), Boolean);
      assert.equal((await agent.filters('again')).uplink?.name, 'eth0');
    });

    it('shows it, and takes it off when told to, but not while it runs', async () => {
      const under = nsenter(host, []);
      const config = ['--config', agent.config];
      const shown = await hairpin(['station', 'filter', ...config], { under });
      assert.match(shown.stdout, /^uplink eth0: 0 control frames dropped/);
      assert.match(shown.stdout, /^again +macvtap +- +0 +\d+$/m);
      const refused = await hairpin(['station', 'filter', '--remove', ...config], { under });
      assert.equal(refused.code, 1);
      assert.match(refused.stderr, /^hairpin: uplink eth0: its station agent runs[^\n]*$/);
      await agent.stop('SIGTERM');
      const removed = await hairpin(['station', 'filter', '--remove', ...config], { under });
      assert.deepEqual([removed.code, removed.stdout], [0, 'taken off again, eth0\n']);
      using tap = await Tap.open(wires, host, 'again');
      const out = await getOut((frame) => tap.say(frame));
      assert.equal(out.length, sent.length);
    });
  });
});
