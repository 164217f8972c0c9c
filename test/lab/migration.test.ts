import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { strategies, type Migration } from '../../src/domain/migration.ts';
import { profileKey } from '../../src/domain/profile-ref.ts';
import { KernelLab } from '../../src/lab/kernel-lab.ts';
import { openStreams } from '../../src/lab/stream/peer.ts';
import { peerLink } from '../../src/lab/topology.ts';
import { announce, labOptions, planOf, statusOf, until } from '../kit/lab/kit.ts';
import { KernelView } from '../kit/lab/kernel-view.ts';
import { assertMigrated } from '../kit/lab/migration-asserts.ts';

const lab = new KernelLab(labOptions('t2'));
const a = planOf('a');
let kernel: KernelView;

before(async () => {
  await lab.up();
  kernel = new KernelView(lab);
});

after(async () => {
  kernel?.close();
  await lab.down();
});

for (const strategy of strategies)
  describe(`a migration by ${strategy}`, () => {
    for (const [from, to] of [
      ['h1', 'h2'],
      ['h2', 'h1'],
    ] as const)
      it(`from ${from} to ${to}: every moment in order, every frame accounted for`, async () => {
        assertMigrated(await lab.migrate('a', to, strategy), { strategy, from, to });
        assert.equal(lab.vm('a').host, to);
        const { active, armed } = kernel.vsi(a.vsiId)!;
        assert.deepEqual([active, armed], [to === 'h1' ? 'p1' : 'p2', null]);
        await until('its status', async () => (await statusOf(lab, a))?.station === to);
      });
  });

describe('a migration to a host where the VSI may not be', () => {
  const { vsiId, name, tenant, mac, profile } = a;
  const spec = { vsiId, name, tenant, macs: [mac], profile: profileKey(profile.ref) };

  before(async () => {
    await lab.api.put('vsis', { ...spec, hosts: ['h1'] });
    await until('the bridge knows', async () => !(await isWelcome('h2')));
    // a VSI whose permission was changed may have to ask again
    await announce(lab, 'h1', 'left', a);
    await announce(lab, 'h1', 'started', a);
  });

  /** Announces a migration that does not happen. */
  async function isWelcome(host: string): Promise<boolean> {
    const welcome = await announce(lab, host, 'incoming', a).then(
      () => true,
      (error: Error) => {
        assert.match(error.message, /refused/);
        return false;
      },
    );
    await announce(lab, host, 'aborted', a);
    return welcome;
  }

  it('is refused; the VM runs on at the source, and the manager knows why', async () => {
    const started = Date.now() * 1000;
    await assert.rejects(
      lab.migrate('a', 'h2', 'profile-first'),
      /the network refused: VSI 4a1b0000-\S+: the bridge refused: /,
    );
    assert.equal(lab.vm('a').host, 'h1');
    let migration: Migration | undefined;
    await until('its end', async () => {
      const { items } = await lab.api.list('migrations');
      migration = items
        .map(({ value }) => value)
        .find((each) => each.vsiId === vsiId && (each.times.announce ?? 0) >= started);
      return migration !== undefined && ['aborted', 'failed'].includes(migration.state);
    });
    assert.match(migration!.reason ?? '', /\w/);
    const { active, armed } = kernel.vsi(vsiId)!;
    assert.deepEqual([active, armed], ['p1', null]);
    assert.equal((await statusOf(lab, a))?.association, 'associated');
  });

  it('costs its streams nothing', async () => {
    const { peer, bridge } = lab.names;
    const dropped = () => Object.values(kernel.vsi(vsiId)!.counters!.dropped).reduce((sum, n) => sum + n, 0);
    const before = dropped();
    const streams = await openStreams({
      namespace: peer,
      link: peerLink,
      address: a.address,
      entries: [{ namespace: bridge, link: 'p1' }],
    });
    assert.equal(await isWelcome('h2'), false);
    const { toVm, fromVm } = await streams.stop();
    assert.ok(toVm.sent > 100 && fromVm.sent > 100, `${toVm.sent} and ${fromVm.sent} sent`);
    assert.deepEqual([toVm.lost, fromVm.lost, toVm.duplicated, fromVm.duplicated], [0, 0, 0, 0]);
    assert.equal(dropped(), before);
  });
});
