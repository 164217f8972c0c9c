import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { droppedAt } from '../../src/linux/bpf/control-filter.ts';
import { heldProgram, holdAtClsact, holdProgram, releaseProgram } from '../../src/linux/bpf/held-program.ts';
import { interfaceIndex } from '../../src/linux/net/interfaces.ts';
import { BpfObject } from '../../src/linux/bpf/object.ts';
import { inNamespace, nsenter } from '../../src/linux/net/namespace.ts';
import { run } from '../../src/linux/run.ts';
import {
  controlFrames,
  Ear,
  links,
  Mouth,
  namesOf,
  ordinaryFrame,
  vmNamespace,
} from '../kit/kernel/vm-filter-harness.ts';
import { mac, Wires } from '../kit/kernel/lldpad-harness.ts';

const object = new URL('../../bpf/vm-filter.bpf.o', import.meta.url).pathname;

/** What docs/security.md says of the kernel, and the filter is built on. */
describe("what the kernel does with a VM's frames", () => {
  async function inside(namespace: string, command: readonly string[], input = ''): Promise<string> {
    const [enter, ...args] = nsenter(namespace, command);
    return run(enter, args, input);
  }

  it("a VM's mark and priority survive a macvlan in VEPA mode: the uplink cannot trust them", async () => {
    await using wires = await Wires.lay();
    const host = wires.host('p1');
    await using _ = await vmNamespace(`${host}-vm`);
    await links(host, `link add link eth0 netns ${host}-vm name eth0 type macvlan mode vepa`);
    await links(`${host}-vm`, 'link set eth0 up');
    const rules = `table netdev facts {
      counter marked { }
      chain out { type filter hook egress device "eth0" priority 0; meta mark 9 meta priority 0:5 counter name marked; }
    }`;
    await inside(host, ['nft', '-f', '-'], rules);
    using mouth = new Mouth(`${host}-vm`, 'eth0', { mark: 9, priority: 5 });
    mouth.say(ordinaryFrame(mac(1)));
    assert.match(await inside(host, ['nft', 'list', 'counters']), /packets 1 /);
  });

  it('a packet socket for everything has its copy before tc drops at ingress', async () => {
    await using wires = await Wires.lay();
    const host = wires.host('p1');
    await inside(host, ['tc', 'qdisc', 'add', 'dev', 'eth0', 'clsact']);
    const drop = ['protocol', 'all', 'bpf', 'direct-action', 'bytecode', '1,6 0 0 2,'];
    await inside(host, ['tc', 'filter', 'add', 'dev', 'eth0', 'ingress', ...drop]);
    const frames = controlFrames(mac(9));
    using ear = new Ear(host, 'eth0');
    using bridge = new Mouth(wires.switch, 'p1');
    const heard = await ear.until(() => {
      for (const { frame } of frames) bridge.say(frame);
      bridge.say(ordinaryFrame(mac(9)));
    });
    assert.deepEqual(
      namesOf(heard, frames),
      frames.map(({ name }) => name),
    );
    const shown = await inside(host, ['tc', '-s', 'qdisc', 'show', 'dev', 'eth0']);
    assert.match(shown, new RegExp(`dropped ${frames.length + 1}\\b`), 'and all were dropped');
  });

  for (const way of ['TCX', 'clsact'] as const)
    it(`${way}: the interface holds the program, past the process's descriptors, under its name`, async () => {
      await using wires = await Wires.lay();
      const host = wires.host('p1');
      await using _ = await vmNamespace(`${host}-vm`);
      await links(host, 'link add link eth0 name vm type macvlan mode vepa', 'link set vm up');
      const ifindex = inNamespace(host, () => interfaceIndex('vm'));
      const places = [
        { hook: 'egress', ifindex, name: 'hp_vm_egress' },
        { hook: 'ingress', ifindex, name: 'hp_vm_ingress' },
      ] as const;
      const hold = way === 'TCX' ? holdProgram : holdAtClsact;
      const held = (namespace = host) =>
        inNamespace(namespace, () => places.map((place) => heldProgram(place, place.name) !== null));
      const put = () =>
        inNamespace(host, () => {
          const loaded = BpfObject.load(object, '/');
          for (const place of places) hold(place, loaded.programFd(place.name), 'vm');
          loaded.close();
        });
      assert.deepEqual(held(), [false, false]);
      put();
      put(); // in its own place
      assert.deepEqual(held(), [true, true]);
      using mouth = new Mouth(host, 'vm');
      for (const { frame } of controlFrames(mac(1))) mouth.say(frame);
      assert.deepEqual(
        inNamespace(host, () => droppedAt(ifindex, 'vm')),
        { egress: 70, ingress: 0 },
      );
      inNamespace(host, () => {
        for (const place of places) assert.ok(releaseProgram(place, place.name));
        for (const place of places) assert.ok(!releaseProgram(place, place.name));
      });
      assert.deepEqual(held(), [false, false]);

      put();
      await links(host, `link set vm netns ${host}-vm`);
      assert.deepEqual(held(`${host}-vm`), way === 'TCX' ? [true, true] : [false, false]);
    });
});
