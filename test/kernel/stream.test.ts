import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { openStreams } from '../../src/lab/stream/peer.ts';
import { vmSideCommand } from '../../src/lab/stream/vm-side-command.ts';
import { now } from '../../src/linux/clock.ts';
import { createNamespace, deleteNamespace, nsenter } from '../../src/linux/net/namespace.ts';
import { ip } from '../../src/linux/run.ts';

const peer = `hp-stream-${process.pid}-peer`;
const vm = `hp-stream-${process.pid}-vm`;
const address = '10.77.9.2';
let vmSide: ChildProcess;

const ends: [name: string, command: string[]][] = [
  ['Node’s', vmSideCommand()],
  ['the guest program’s', [fileURLToPath(new URL('../../src/lab/guest/program/stream', import.meta.url))]],
];

for (const [name, command] of ends)
  describe(`the streams over a veth pair, the VM’s end being ${name}`, () => {
    before(async () => {
      for (const namespace of [peer, vm]) await createNamespace(namespace);
      await ip(peer, [
        `link add eth0 type veth peer name eth0 netns ${vm}`,
        'addr add 10.77.9.1/24 dev eth0',
        'link set eth0 up',
      ]);
      await ip(vm, [`addr add ${address}/24 dev eth0`, 'link set eth0 up']);
      const [enter, ...args] = nsenter(vm, command);
      vmSide = spawn(enter, args, { stdio: 'inherit' });
    });

    after(async () => {
      if (vmSide?.kill('SIGKILL')) await once(vmSide, 'exit');
      for (const namespace of [peer, vm]) await deleteNamespace(namespace);
    });

    it('lose nothing on a link that works', async () => {
      const streams = await openStreams({ namespace: peer, link: 'eth0', address });
      await sleep(300);
      const { toVm, fromVm } = await streams.stop();
      for (const { sent, received, lost, duplicated } of [toVm, fromVm]) {
        assert.ok(sent > 200, `${sent} sent`);
        assert.deepEqual([received, lost, duplicated], [sent, 0, 0]);
      }
    });

    it('have a gap in both directions where the link was down, and go on behind it', async () => {
      const streams = await openStreams({ namespace: peer, link: 'eth0', address });
      await sleep(100);
      await ip(vm, ['link set eth0 down']);
      const down = now();
      await sleep(500); // an end that the machine has no time for sends nothing, and so loses nothing
      const up = now();
      await ip(vm, ['link set eth0 up']);
      await sleep(500);
      const { toVm, fromVm } = await streams.stop();
      for (const { sent, received, lost, duplicated, gapStart, gapEnd } of [toVm, fromVm]) {
        assert.ok(gapStart <= down && up <= gapEnd, `gap ${gapStart}..${gapEnd}, link down ${down}..${up}`);
        assert.ok(lost > 0);
        assert.deepEqual([sent - received, duplicated], [lost, 0]);
        assert.ok(received > 200, `${received} received`);
      }
    });

    it('count a stopped VM’s probes as late or lost, and nothing of what it did not send', async () => {
      const stopMs = 250;
      const began = now();
      const streams = await openStreams({ namespace: peer, link: 'eth0', address });
      await sleep(100);
      vmSide.kill('SIGSTOP');
      const stopped = now();
      await sleep(stopMs);
      const resumed = now();
      vmSide.kill('SIGCONT');
      await sleep(200);
      const { toVm, fromVm } = await streams.stop();
      for (const { lost, gapStart, gapEnd } of [toVm, fromVm]) {
        assert.equal(lost, 0); // its socket kept what came meanwhile
        assert.ok(gapStart <= stopped + 1000 && resumed <= gapEnd, `${gapStart}..${gapEnd}`);
      }
      // at most one a millisecond while it ran, however much of that the machine had for it
      const ran = (now() - began) / 1000 - stopMs;
      assert.ok(fromVm.sent < ran + stopMs / 2, 'it does not make up for the beacons of its stop');
    });

    it('say so when the VM does not answer', async () => {
      await assert.rejects(
        openStreams({ namespace: peer, link: 'eth0', address: '10.77.9.9', timeoutMs: 300 }),
        /no streams with 10\.77\.9\.9 from .* within 300 ms/,
      );
    });

    it('say so when the link is not there', async () => {
      await assert.rejects(
        openStreams({ namespace: peer, link: 'eth7', address }),
        /packet socket|interface eth7/,
      );
    });
  });
