import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { acme, profile, running, seed, temporaryDirectory, vsi } from '../../kit/manager/support.ts';
import { hairpin } from '../../kit/cli/hairpin.ts';

const docs = readFileSync(fileURLToPath(new URL('../../../docs/configuration.md', import.meta.url)), 'utf8');
const directory = temporaryDirectory();

it('the examples of the documentation can be put as it says, and are listed with what they say', async () => {
  await using run = await running();
  const env = { HAIRPIN_MANAGER: run.url };
  const told = async (...args: string[]) => {
    const { code, stdout, stderr } = await hairpin(args, { env });
    assert.deepEqual([code, stderr], [0, '']);
    return stdout;
  };
  const examples = docs.matchAll(/^```yaml\n# hairpin (\w+) put (\S+)\n(.*?)^```$/gms);
  const set = [];
  for (const [, noun, name, text] of examples) {
    const file = join(directory, name!);
    writeFileSync(file, text!);
    set.push(await told(noun!, 'put', file));
  }
  assert.deepEqual(set, [
    'tenant red is set\n',
    'profile dc1/17/1 is set\n',
    'vsi fa9b7fff-b0a0-4893-8e0e-beef4ff18f8f is set\n',
  ]);
  const [tenants, profiles, vsis, profile] = await Promise.all([
    told('tenant', 'ls'),
    told('profile', 'ls'),
    told('vsi', 'ls'),
    told('profile', 'get', 'dc1/17/1'),
  ]);
  assert.equal(rowOf(tenants, 'red'), 'red 2000000000 2000000000 500000000');
  assert.equal(
    rowOf(profiles, 'dc1'),
    'dc1/17/1 web servers red 100,200,300 50000000 50000000 broadcast multicast unknown-unicast 8 - address dhcp ra control tap',
  );
  assert.match(rowOf(vsis, 'fa9b'), / 52:54:00:00:00:0a 10\.77\.1\.11 2001:db8::11 dc1\/17\/1 none -$/);
  const { storm, mirror } = JSON.parse(profile) as Record<string, unknown>;
  assert.deepEqual(storm, {
    broadcast: { framesPerSecond: 100, burst: 100 },
    multicast: { framesPerSecond: 500, burst: 1000 },
    unknownUnicast: { framesPerSecond: 100, burst: 100 },
  });
  assert.deepEqual(mirror, {
    session: 'tap',
    direction: 'both',
    filter: {
      rules: [{ action: 'allow', direction: 'both', protocol: 'tcp', destinationPorts: '443' }],
      otherwise: 'deny',
    },
    truncate: 128,
    sample: 100,
  });
});

it('what the manager refuses is told with file and key, and what is removed is said', async () => {
  await using run = await running();
  const ask = (...args: string[]) => hairpin([...args, '--manager', run.url]);
  const file = join(directory, 'web.yaml');
  writeFileSync(file, 'managerId: dc1\ntypeId: 1\ntypeVersion: 1\nname: web\ntenant: red\nvlan: 10\n');
  assert.deepEqual(await ask('profile', 'put', file), {
    code: 1,
    stdout: '',
    stderr: `hairpin: ${file}: tenant: there is no tenant red; one that exists would be right`,
  });
  await run.client.put('tenants', acme);
  assert.deepEqual(await ask('tenant', 'rm', 'acme'), {
    code: 0,
    stdout: 'tenant acme is removed\n',
    stderr: '',
  });
});

it('a VSI is known by the name of its VM, and one that is on the network is not removed unasked', async () => {
  await using run = await running();
  await seed(run.client);
  const { vsiId } = vsi(1, profile(17));
  const place = { association: 'associated', bridge: 'sw', port: 'p1', station: 'host\u202e7' } as const;
  await run.client.putStatus(vsiId, { ...place, at: 1 });
  await run.client.report({ vsiId, moment: 'announce', at: Date.now() * 1000 - 7_000_000, by: 'h2' });
  const ask = (...args: string[]) => hairpin([...args, '--manager', run.url]);
  const [got, list, migrations, unasked] = await Promise.all([
    ask('vsi', 'get', 'vm1'),
    ask('vsi', 'ls'),
    ask('migration', 'ls'),
    ask('vsi', 'rm', 'vm1'),
  ]);
  assert.equal((JSON.parse(got.stdout) as { vsiId: string }).vsiId, vsiId);
  assert.match(list.stdout, /host\\u202e7/, 'what acts on a terminal is written out');
  assert.doesNotMatch(got.stdout + list.stdout, /\u202e/);
  assert.match(rowOf(migrations.stdout, '1'), new RegExp(`^1 ${vsiId} vm1 .* - 0 -$`));
  assert.deepEqual(unasked, {
    code: 1,
    stdout: '',
    stderr: `hairpin: VM vm1 (${vsiId}) is associated at sw p1 (host\\u202e7), and would be cut off; with --yes it is removed all the same`,
  });
  await run.client.put('vsis', vsi(2, profile(17), { name: 'vm1' }));
  const several = await ask('vsi', 'get', 'vm1');
  assert.equal(several.code, 2);
  assert.match(
    several.stderr,
    new RegExp(`VM vm1 has several VSIs: ${vsiId} \\(52:54:00:00:00:01, at sw p1\\), .*one's VSIID`),
  );
  assert.deepEqual(await ask('vsi', 'rm', vsiId, '--yes'), {
    code: 0,
    stdout: `vsi ${vsiId} is removed\n`,
    stderr: '',
  });
  assert.equal((await ask('vsi', 'rm', 'vm1')).code, 0, 'one that is nowhere');
  assert.match((await ask('vsi', 'get', 'vm1')).stderr, /there is no vsi vm1; a VSIID or the name of a VM/);
});

/** The table's row that starts so, with single blanks. */
function rowOf(table: string, start: string): string {
  const row = table.split('\n').find((line) => line.startsWith(start));
  assert.ok(row, table);
  return row.replaceAll(/ +/g, ' ');
}
