import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { after, before, describe, it } from 'node:test';
import { KernelLab } from '../../src/lab/kernel-lab.ts';
import { bridgeName } from '../../src/lab/scenario.ts';
import { openStreams } from '../../src/lab/stream/peer.ts';
import { peerLink } from '../../src/lab/topology.ts';
import { hairpin } from '../kit/cli/hairpin.ts';
import { KernelView } from '../kit/lab/kernel-view.ts';
import { labOptions, planOf, statusOf, until } from '../kit/lab/kit.ts';

const lab = new KernelLab(labOptions('t11'));
const a = planOf('a');
const log = () => readFileSync(join(lab.directory, `${bridgeName}.log`), 'utf8');
/** The bridge's supervision of keep-alives takes 15.8 s. */
const longer = 20_000;
let kernel: KernelView;

before(async () => {
  await lab.up();
  kernel = new KernelView(lab);
});

after(async () => {
  kernel?.close();
  await lab.down();
});

/** What the VM and its peer lose of each other while `body` runs. */
async function lostDuring(body: () => Promise<void>): Promise<number[]> {
  const streams = await openStreams({
    namespace: lab.names.peer,
    link: peerLink,
    address: a.address,
    entries: [{ namespace: lab.names.bridge, link: 'p1' }],
  });
  await body();
  const { toVm, fromVm } = await streams.stop();
  assert.ok(Math.min(toVm.sent, fromVm.sent) > 1000);
  return [toVm.lost, fromVm.lost];
}

describe('nobody who runs is cut off', () => {
  it('by a bridge agent that was stopped for longer than it waits for keep-alives', async () => {
    const { pid } = lab.status().processes.find(({ name }) => name === bridgeName)!;
    const { length } = log();
    const lost = await lostDuring(async () => {
      process.kill(pid!, 'SIGSTOP');
      await sleep(longer);
      process.kill(pid!, 'SIGCONT');
      await sleep(3_000);
    });
    assert.deepEqual(lost, [0, 0]);
    assert.doesNotMatch(log().slice(length), /released|is held/, 'the renewals waited in its sockets');
  });

  it('by a station whose agent is killed: its VSI is held, shown as held, and kept alive again by the next agent', async () => {
    const lost = await lostDuring(async () => {
      await lab.stopAgent('h1', 'SIGKILL');
      await until('a to be held', async () => (await statusOf(lab, a))?.held !== undefined, 40_000);
      assert.equal(kernel.vsi(a.vsiId)?.active, 'p1');
      const listed = await hairpin(['vsi', 'ls', '--manager', `unix:${join(lab.directory, 'manager.sock')}`]);
      assert.match(listed.stdout, new RegExp(`${a.vsiId}.*associated, held`));
      const show = ['bridge', 'show', '--config', join(lab.directory, `${bridgeName}.yaml`)];
      assert.match((await hairpin(show)).stdout, new RegExp(`${a.vsiId} +a +associated, held for \\d+ s`));
      await lab.startAgent('h1');
      await until('a to be kept alive', async () => (await statusOf(lab, a))?.held === undefined, 40_000);
    });
    assert.deepEqual(lost, [0, 0]);
    assert.equal((await statusOf(lab, a))?.association, 'associated');
  });
});
