import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';
import { z } from 'zod';
import { writeSchemas } from '../../../src/api/collections.ts';
import { accessRuleFields } from '../../../src/forms/access-list.ts';
import { bridgeConfig } from '../../../src/bridge/config/config.ts';
import { managerConfigSchema } from '../../../src/manager/config.ts';
import { stationConfig } from '../../../src/station/config.ts';

const text = readFileSync(fileURLToPath(new URL('../../../docs/configuration.md', import.meta.url)), 'utf8');
const blocks = Array.from(text.matchAll(/^```yaml\n(.*?)^```$/gms), ([, block]) => block!);

/** The example that starts with these words, as it is parsed. */
function example(start: string): Record<string, unknown> {
  const block = blocks.find((each) => each.startsWith(start));
  assert.ok(block, `no example starts with ${start}`);
  return parse(block) as Record<string, unknown>;
}

it('what docs/configuration.md shows is taken by the agents', () => {
  assert.equal(blocks.length, 6);
  managerConfigSchema.parse(example('database:'));
  const bridge = bridgeConfig.parse(example('name: rack1-sw'));
  assert.deepEqual(bridge.ports['p1'], {
    kind: 'station',
    shaper: 1e10,
    secondStation: 'ignore',
    placeHold: 120,
  });
  stationConfig.parse(example('name: host7'));
});

const tenant = example('# hairpin tenant put');
const profile = example('# hairpin profile put');
const vsi = example('# hairpin vsi put');

it('what it shows of tenants, profiles and VSIs is taken by the manager, and by a bridge without one', () => {
  writeSchemas.tenants.parse(tenant);
  writeSchemas.profiles.parse(profile);
  writeSchemas.vsis.parse(vsi);
  const { manager: _, token: __, ...bridge } = example('name: rack1-sw');
  bridgeConfig.parse({ ...bridge, tenants: [tenant], profiles: [profile], vsis: [vsi] });
});

it('it shows every key that a profile can have', () => {
  const full = z.encode(writeSchemas.profiles, writeSchemas.profiles.parse(profile)) as typeof profile;
  assert.deepEqual(Object.keys(profile).sort(), Object.keys(full).sort());
  for (const key of ['storm', 'marking', 'guards', 'mirror'])
    assert.deepEqual(Object.keys(profile[key] as object), Object.keys(full[key] as object), key);
  const { rules } = profile['accessList'] as { rules: object[] };
  const shown = new Set(rules.flatMap((rule) => Object.keys(rule)));
  assert.deepEqual(
    accessRuleFields.filter((field) => !shown.has(field) && !['destination', 'sourcePorts'].includes(field)),
    [],
  );
});
