import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { ip } from '../../src/linux/run.ts';
import type { VsiCounters } from '../../src/relay/contract/relay.ts';
import { broadcast, plain } from '../kit/relay/frames.ts';
import { at, idOf, macOf, network, state, station, type VsiSpec } from '../kit/relay/states.ts';
import { KernelSwitch } from '../kit/kernel/relay-harness.ts';

const ports = { s1: station, s2: station, n1: network(null, 10) };
const outside = '02:00:00:00:00:99';
/** more than the 1,000 frames that wait for a CPU unless somebody has said otherwise (net.core.netdev_max_backlog) */
const count = 1500;

/** So many VSIs at two ports, each of which gets a copy of its own: they are in two VLANs. */
function members(): Record<number, VsiSpec> {
  const vsis: Record<number, VsiSpec> = {};
  for (let n = 1; n <= count; n++) vsis[n] = { active: at(n & 1 ? 's1' : 's2') };
  vsis[count + 1] = { active: at('s1'), policy: { vlan: 20 } };
  vsis[count + 2] = { active: at('s2'), policy: { vlan: 20 } };
  return vsis;
}

describe('a VLAN of more VSIs than frames may wait for a CPU', () => {
  let kernel: KernelSwitch;
  before(async () => {
    kernel = await KernelSwitch.open(Object.keys(ports));
    kernel.apply(state(ports, members()));
  });
  after(() => kernel.close());

  const received = async (port: string, ...frames: Uint8Array[]): Promise<Map<string, number>> => {
    const heard = new Map<string, number>();
    const out = await kernel.exchange(port, ...frames);
    for (const frame of [...(out.get('s1') ?? []), ...(out.get('s2') ?? [])]) {
      const mac = Buffer.from(frame.subarray(0, 6)).toString('hex');
      heard.set(mac, (heard.get(mac) ?? 0) + 1);
    }
    return heard;
  };
  const macs = (from: number) =>
    Array.from({ length: count - from + 1 }, (_, i) => macOf(i + from).replaceAll(':', ''));
  const counters = (n: number): VsiCounters => [...kernel.relay.countersOf(idOf(n)).values()][0]!;

  it('hears every broadcast from the network, each VSI once', async () => {
    const heard = await received(
      'n1',
      plain(broadcast, outside, 'all', 10),
      plain(broadcast, outside, 'all', 10),
    );
    assert.deepEqual([...heard.keys()].sort(), macs(1).sort());
    assert.ok([...heard.values()].every((times) => times === 2));
  });

  it('hears every broadcast of a VM, but for the VM itself', async () => {
    const heard = await received('s1', plain(broadcast, macOf(1), 'all'));
    assert.deepEqual([...heard.keys()].sort(), macs(2).sort());
    assert.ok([...heard.values()].every((times) => times === 1));
  });

  it('counts what was heard, of each VSI, and nothing as lost', () => {
    for (let n = 2; n <= count; n++) assert.equal(counters(n).toVm.frames, 3);
    assert.equal(kernel.relay.portCounters().get('n1')!.framesIn, 2);
    for (const { dropped } of kernel.relay.portCounters().values()) assert.equal(dropped.error, 0);
  });

  it('counts a copy that the kernel did not take as an error of its VSI, and not as delivered', async () => {
    const before = Array.from({ length: count }, (_, i) => counters(i + 1));
    const flood = Array.from({ length: 40 }, () => plain(broadcast, outside, 'flood', 10));
    const framesIn = () => kernel.relay.portCounters().get('n1')!.framesIn; // the kernel may lose some on their way to the port
    const came = framesIn();
    const heard = await received('n1', ...flood);
    for (let n = 1; n <= count; n++) {
      const now = counters(n);
      const frames = now.toVm.frames - before[n - 1]!.toVm.frames;
      const copies = heard.get(macOf(n).replaceAll(':', '')) ?? 0;
      // the last copy is the frame itself, whose redirect the kernel does after the program: nobody learns of its loss
      if (n === 1) assert.ok(copies <= frames, `VSI ${n}: ${copies} of ${frames}`);
      else assert.equal(copies, frames, `VSI ${n}`);
      assert.equal(frames + now.dropped.error, framesIn() - came, `VSI ${n}`);
    }
  });

  it('counts a copy to a port that is down likewise', async () => {
    await ip(kernel.namespace, ['link set s2 down']);
    const before = [counters(1), counters(2)];
    await kernel.exchangeAmong(['s1', 'n1'], 'n1', plain(broadcast, outside, 'down', 10));
    assert.equal(counters(1).toVm.frames - before[0]!.toVm.frames, 1);
    assert.equal(counters(2).toVm.frames - before[1]!.toVm.frames, 0);
    assert.equal(counters(2).dropped.error - before[1]!.dropped.error, 1);
  });
});
