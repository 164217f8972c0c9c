import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import { ApiClient } from '../../src/client/client.ts';
import { strategies } from '../../src/domain/migration.ts';
import { labDirectory } from '../../src/lab/place.ts';
import { SimulatedLab } from '../../src/lab/simulated/lab.ts';
import { asNobody, hairpin } from '../kit/cli/hairpin.ts';
import { assertComparison } from '../kit/lab/comparison-asserts.ts';
import { labOptions, until } from '../kit/lab/kit.ts';
import { assertMigrated } from '../kit/lab/migration-asserts.ts';

describe('the simulated lab', () => {
  const lab = new SimulatedLab(labOptions('t5'));
  before(() => lab.up());
  after(async () => {
    await lab.down();
    assert.equal(existsSync(labDirectory('t5')), false);
  });

  it('says what it is, and has the same VMs behind the same API', async () => {
    const { kind, manager, vms } = lab.status();
    assert.equal(kind, 'simulated');
    assert.deepEqual(
      vms.map(({ name, host }) => [name, host]),
      [
        ['a', 'h1'],
        ['b', 'h1'],
        ['c', 'h2'],
      ],
    );
    const api = new ApiClient(manager);
    try {
      await until('every status', async () =>
        (await api.list('vsis')).items.every(({ value }) => value.status !== null),
      );
      const { items } = await api.list('vsis');
      assert.deepEqual(
        items.map(({ value }) => [value.name, value.status?.association, value.status?.station]),
        [
          ['a', 'associated', 'h1'],
          ['b', 'associated', 'h1'],
          ['c', 'associated', 'h2'],
        ],
      );
    } finally {
      api.close();
    }
  });

  for (const [i, strategy] of strategies.entries())
    it(`migrates by ${strategy}`, async () => {
      const [from, to] = i === 0 ? (['h1', 'h2'] as const) : (['h2', 'h1'] as const);
      assertMigrated(await lab.migrate('a', to, strategy), { strategy, from, to });
    });
});

it('without root, "lab compare" works and says that it is the simulated lab', async () => {
  const { code, stdout, stderr } = await hairpin(['lab', 'compare', '--runs', '1', '--json'], {
    under: asNobody,
  });
  assert.match(stderr, /^lab: without root on Linux this is the simulated lab: /);
  assert.equal(code, 0, stderr);
  assertComparison(JSON.parse(stdout), { runs: 1, silent: false, strategies: ['profile-first', 'garp'] });
});
