import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { callLocal } from '../../src/local/socket-client.ts';
import type { ShownBridge } from '../../src/bridge/control/show.ts';
import { KernelLab } from '../../src/lab/kernel-lab.ts';
import { bridgeName } from '../../src/lab/scenario.ts';
import { openStreams } from '../../src/lab/stream/peer.ts';
import { peerLink } from '../../src/lab/topology.ts';
import { ip, run } from '../../src/linux/run.ts';
import { KernelView } from '../kit/lab/kernel-view.ts';
import { labOptions, planOf, until } from '../kit/lab/kit.ts';

const lab = new KernelLab(labOptions('t9'));
const [a, c] = [planOf('a'), planOf('c')];
const file = join(lab.directory, `${bridgeName}.yaml`);
const log = () => readFileSync(join(lab.directory, `${bridgeName}.log`), 'utf8');
let kernel: KernelView;

interface Written {
  readonly ports: Readonly<Record<string, object>>;
}

const show = async () =>
  (await callLocal(join(lab.directory, bridgeName, 'control.sock'), 'show')) as ShownBridge;
const portOf = async (name: string) => (await show()).ports.find((port) => port.name === name);

/** Sends SIGHUP, and waits until the agent says what came of it. */
async function hangUp(said: RegExp): Promise<void> {
  const { length } = log();
  const { pid } = lab.status().processes.find(({ name }) => name === bridgeName)!;
  process.kill(pid!, 'SIGHUP');
  await until(`the log to say ${said}`, () => said.test(log().slice(length)));
  assert.equal(lab.status().processes.find(({ name }) => name === bridgeName)?.pid, pid, 'it runs on');
}

async function reload(change: (config: Written) => object): Promise<void> {
  const before = JSON.parse(readFileSync(file, 'utf8')) as Written;
  writeFileSync(file, JSON.stringify({ ...before, ...change(before) }));
  await hangUp(/the configuration was read again, and is in force/);
}

before(async () => {
  await lab.up();
  kernel = new KernelView(lab);
  await ip(lab.names.bridge, ['link add x1 type veth peer name y1', 'link set x1 up', 'link set y1 up']);
});

after(async () => {
  kernel?.close();
  await lab.down();
});

describe('SIGHUP', () => {
  it('adds, changes and removes ports, and costs the others not one frame', async () => {
    const streams = await openStreams({
      namespace: lab.names.peer,
      link: peerLink,
      address: a.address,
      entries: [{ namespace: lab.names.bridge, link: 'p1' }],
    });
    await reload(({ ports }) => ({
      ports: { ...ports, x1: { kind: 'network', vlans: [77] }, x2: { kind: 'station' } },
    }));
    assert.equal((await portOf('x1'))?.link, 'up');
    assert.equal((await portOf('x2'))?.link, 'missing');
    assert.deepEqual(kernel.port('x1').kind, 'network');
    await ip(lab.names.bridge, ['link add x2 type veth peer name y2', 'link set x2 up', 'link set y2 up']);
    await until('x2 to be taken on', async () => (await portOf('x2'))?.link === 'up');

    await reload(({ ports }) => ({
      ports: { ...ports, x1: { kind: 'station' }, x2: { kind: 'mirror', session: 'extra' } },
    }));
    await until('x1 to be up', async () => (await portOf('x1'))?.link === 'up');
    assert.deepEqual([(await portOf('x1'))?.kind, (await portOf('x2'))?.kind], ['station', 'mirror']);

    await reload(({ ports }) => ({ ports: { ...ports, x1: undefined, x2: undefined } }));
    assert.deepEqual([await portOf('x1'), await portOf('x2')], [undefined, undefined]);
    for (const port of ['x1', 'x2']) {
      const filters = await run('tc', ['-n', lab.names.bridge, 'filter', 'show', 'dev', port, 'ingress']);
      assert.doesNotMatch(filters, /bpf/, `no program is left on ${port}`);
    }
    const { toVm, fromVm } = await streams.stop();
    for (const { sent, lost, duplicated } of [toVm, fromVm]) {
      assert.ok(sent > 100, `${sent} sent`);
      assert.deepEqual([lost, duplicated], [0, 0]);
    }
  });

  it('lets go of the VSIs of a port that is taken away, which come back with it', async () => {
    const { ports } = JSON.parse(readFileSync(file, 'utf8')) as Written;
    await reload(() => ({ ports: { ...ports, p2: undefined } }));
    assert.equal(kernel.vsi(c.vsiId), null);
    assert.equal(kernel.vsi(a.vsiId)?.active, 'p1');
    await reload(() => ({ ports }));
    await until('c at p2', () => kernel.vsi(c.vsiId)?.active === 'p2', 60_000);
  });

  it('changes nothing by a wrong file, and says why in one line', async () => {
    const right = readFileSync(file, 'utf8');
    const before = (await show()).ports.map(({ name, kind }) => [name, kind]);
    for (const [text, why] of [
      ['ports: [', /nothing was changed: [^\n]*sw\.yaml/],
      [right.replace('"station"', '"stattion"'), /nothing was changed: [^\n]*sw\.yaml: ports\.p1\.kind/],
      [
        right.replace(/"name":\s*"sw"/, '"name": "other"'),
        /nothing was changed: name: cannot change while the agent runs; a restart would be right/,
      ],
      [
        JSON.stringify({
          ...(JSON.parse(right) as Written),
          ports: { p1: { kind: 'station' }, lo: { kind: 'network', peerDelivery: true } },
        }),
        /nothing was changed: [^\n]*\blo\b/,
      ],
    ] as const) {
      writeFileSync(file, text);
      await hangUp(why);
      assert.deepEqual(
        (await show()).ports.map(({ name, kind }) => [name, kind]),
        before,
      );
      assert.equal(kernel.vsi(c.vsiId)?.active, 'p2');
    }
    writeFileSync(file, right);
    await hangUp(/the configuration was read again, and is in force/);
  });
});
