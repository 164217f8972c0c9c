import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { ApiClient } from '../../../src/client/client.ts';
import { parseMac } from '../../../src/domain/mac-address.ts';
import { parseProfileKey } from '../../../src/domain/profile-ref.ts';
import { VsiDirectory } from '../../../src/station/vsi-directory.ts';
import { profile, running, seed, temporaryDirectory, vsi, vsiIdOf } from '../../kit/manager/support.ts';

const web = profile(17);
const mac = (number: number) => vsi(number, web).macs[0]!;

function* soon(): Generator<number, never> {
  for (;;) yield 20;
}

test('a station knows the VSIs of its VMs though the database came back empty, until it is accepted', async (t) => {
  const listen = [`unix:${join(temporaryDirectory(), 'm.sock')}`];
  let directory: VsiDirectory;
  const ids = async (number: number) => (await directory.of([mac(number)])).map(({ vsiId }) => vsiId);
  const until = async (number: number, wanted: readonly string[]) => {
    while ((await ids(number)).join() !== wanted.join()) await setTimeout(20);
  };
  {
    await using run = await running({ listen });
    await seed(run.client);
    await run.client.put('vsis', vsi(2, web));
    const client = new ApiClient(run.url, { backoff: soon });
    t.after(() => client.close());
    directory = new VsiDirectory(client, () => {});
    t.after(() => directory.close());
    await until(2, [vsiIdOf(2)]);
    await run.client.delete('vsis', vsiIdOf(2));
    await until(2, []);
  }
  await using run = await running({ listen });
  await seed(run.client);
  await run.client.delete('vsis', vsiIdOf(1));
  await run.client.put('vsis', vsi(3, web));
  await until(3, [vsiIdOf(3)]);
  assert.deepEqual(await ids(1), [vsiIdOf(1)], 'it is withheld');
  await run.client.put('vsis', vsi(4, web, { macs: [mac(1)] }));
  await until(1, [vsiIdOf(4)]);
  await run.client.delete('vsis', vsiIdOf(4));
  await until(1, [vsiIdOf(1)]);
  await run.client.accept();
  await until(1, []);
});

test('a station that starts anew knows what it knew, though the database is another one by now', async (t) => {
  await using run = await running();
  const client = new ApiClient(run.url);
  t.after(() => client.close());
  const known = [
    { vsiId: vsiIdOf(9), macs: [parseMac('52:54:00:00:00:09')], profile: parseProfileKey('dc1/17/1') },
  ];
  const directory = new VsiDirectory(client, () => {}, known);
  t.after(() => directory.close());
  await seed(run.client);
  while (!(await directory.of([mac(1)])).length) await setTimeout(20);
  assert.deepEqual(await directory.of([mac(9)]), known);
});
