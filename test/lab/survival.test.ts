import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { KernelLab } from '../../src/lab/kernel-lab.ts';
import { red } from '../../src/lab/scenario.ts';
import { openStreams } from '../../src/lab/stream/peer.ts';
import type { StreamResult } from '../../src/lab/stream/accounting.ts';
import { peerLink } from '../../src/lab/topology.ts';
import { now } from '../../src/linux/clock.ts';
import { announce, labOptions, planOf, setProfile, statusOf, until } from '../kit/lab/kit.ts';
import { KernelView } from '../kit/lab/kernel-view.ts';

const lab = new KernelLab(labOptions('t3'));
const [a, b] = [planOf('a'), planOf('b')];
let kernel: KernelView;

before(async () => {
  await lab.up();
  kernel = new KernelView(lab);
});

after(async () => {
  kernel?.close();
  await lab.down();
});

describe('kill -9 of the bridge agent', () => {
  it('loses not one frame, in either direction, until it is back and after', async () => {
    const streams = await streamsWithA();
    await flow(100);
    await lab.stopAgent('sw', 'SIGKILL');
    await flow(300);
    const { length } = lab.status().processes.filter(({ name, pid }) => name === 'sw' && pid !== null);
    assert.equal(length, 0, 'it is not running');
    await lab.startAgent('sw');
    await flow(300);
    assertNothingLost(await streams.stop(), 700);
  });

  it('leaves what it held to its successor, which tells the manager so', async () => {
    const restarted = now();
    await lab.stopAgent('sw', 'SIGKILL');
    await lab.startAgent('sw');
    for (const vm of [a, b, planOf('c')]) {
      await until(`the status of ${vm.name}`, async () => ((await statusOf(lab, vm))?.at ?? 0) >= restarted);
      const port = vm.host === 'h1' ? 'p1' : 'p2';
      const { association, port: told } = (await statusOf(lab, vm))!;
      assert.deepEqual([association, told, kernel.vsi(vm.vsiId)?.active], ['associated', port, port]);
    }
  });

  it('does not keep its successor from changing a profile', async () => {
    const { rules } = red.accessList;
    const denied = {
      ...red.accessList,
      rules: [{ action: 'deny', direction: 'both', protocol: 17 } as const, ...rules],
    };
    await setProfile(lab, kernel, { ...red, accessList: denied }, a);
    const before = kernel.vsi(a.vsiId)!.counters!.dropped['access-list'];
    await assert.rejects(streamsWithA(500), /no streams with 10\.77\.1\.11/);
    assert.ok(kernel.vsi(a.vsiId)!.counters!.dropped['access-list'] > before);
    await setProfile(lab, kernel, red, a);
    const streams = await streamsWithA();
    await flow(100);
    assertNothingLost(await streams.stop(), 100);
  });
});

describe('kill -9 of the manager', () => {
  before(() => lab.stopAgent('manager', 'SIGKILL'));

  it('does not keep a VM from being associated: the bridge knows its profile', async () => {
    await associateAgain();
  });

  it('does not keep a bridge that starts while it is away from knowing it either', async () => {
    await lab.stopAgent('sw', 'SIGKILL');
    await lab.startAgent('sw');
    await associateAgain();
  });

  it('is told all when it is back', async () => {
    await announce(lab, 'h1', 'left', b);
    await until('b to be gone', () => kernel.vsi(b.vsiId) === null);
    const back = now();
    await lab.startAgent('manager');
    await until('the status of b', async () => (await statusOf(lab, b)) === null, 15_000);
    await until('the status of a', async () => (await statusOf(lab, a))?.association === 'associated');
    await announce(lab, 'h1', 'started', b);
    await until('the new status of b', async () => ((await statusOf(lab, b))?.at ?? 0) >= back);
    assert.equal((await statusOf(lab, b))?.association, 'associated');
    assert.equal(kernel.vsi(b.vsiId)?.active, 'p1');
  });

  async function associateAgain(): Promise<void> {
    await assert.rejects(lab.api.list('tenants'), 'the manager is away');
    await announce(lab, 'h1', 'left', a);
    await until('a to be gone', () => kernel.vsi(a.vsiId) === null);
    await announce(lab, 'h1', 'started', a);
    const { active, policy } = kernel.vsi(a.vsiId)!;
    assert.deepEqual([active, policy.vlan, policy.rate], ['p1', red.vlan, red.rate]);
    const streams = await streamsWithA();
    await flow(100);
    assertNothingLost(await streams.stop(), 100);
  }
});

function streamsWithA(timeoutMs = 5000) {
  const { peer, bridge } = lab.names;
  return openStreams({
    namespace: peer,
    link: peerLink,
    address: a.address,
    entries: [{ namespace: bridge, link: 'p1' }],
    timeoutMs,
  });
}

/** Waits until the switch has passed so many more frames of both streams, by the kernel's own count. */
async function flow(frames: number): Promise<void> {
  const passed = () => {
    const { fromVm, toVm } = kernel.vsi(a.vsiId)!.counters!;
    return Math.min(fromVm.frames - from.fromVm.frames, toVm.frames - from.toVm.frames);
  };
  const from = kernel.vsi(a.vsiId)!.counters!;
  await until(`${frames} frames`, () => passed() >= frames);
}

function assertNothingLost({ toVm, fromVm }: StreamResult, least: number): void {
  for (const { sent, lost, duplicated } of [toVm, fromVm]) {
    assert.ok(sent >= least, `${sent} sent`);
    assert.deepEqual([lost, duplicated], [0, 0]);
  }
}
