import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { KernelLab } from '../../src/lab/kernel-lab.ts';
import { labOptions, planOf, statusOf, until } from '../kit/lab/kit.ts';
import { assertMigrated } from '../kit/lab/migration-asserts.ts';

describe('the lab with QEMU guests', () => {
  const lab = new KernelLab(labOptions('t4', 'qemu'));
  const a = planOf('a');

  before(() => lab.up());
  after(() => lab.down());

  for (const [strategy, from, to] of [
    ['profile-first', 'h1', 'h2'],
    ['garp', 'h2', 'h1'],
  ] as const)
    it(`migrates one live by ${strategy}, with its memory and all`, async () => {
      const run = await lab.migrate('a', to, strategy);
      assertMigrated(run, { strategy, from, to, watched: true, queueFull: 1 });
      await until('its status', async () => (await statusOf(lab, a))?.station === to);
      assert.equal(lab.vm('a').host, to);
    });
});
