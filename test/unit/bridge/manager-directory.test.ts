import assert from 'node:assert/strict';
import { copyFileSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { ApiClient } from '../../../src/client/client.ts';
import type { MigrationReport } from '../../../src/domain/migration.ts';
import type { CollectionName } from '../../../src/api/collections.ts';
import { ManagerDirectory } from '../../../src/bridge/knowledge/manager-directory.ts';
import type { TenantLimits } from '../../../src/domain/port-profile.ts';
import { parseProfileKey } from '../../../src/domain/profile-ref.ts';
import type { VsiId } from '../../../src/domain/vsi-id.ts';
import { acme, profile, running, seed, temporaryDirectory, vsi, vsiIdOf } from '../../kit/manager/support.ts';

const web = profile(17);
const limited = { ...acme, rate: { 'to-vm': { max: 8000, burst: 20_000 } }, guaranteed: null };

function* soon(): Generator<number, never> {
  for (;;) yield 20;
}

/** A client whose answers about objects may be held back after the manager gave them. */
class SlowClient extends ApiClient {
  held: Promise<void> = Promise.resolve();
  answers = 0;

  override async get<Name extends CollectionName>(name: Name, key: string) {
    const answer = await super.get(name, key);
    this.answers++;
    await this.held;
    return answer;
  }
}

/** A directory of a manager, and what it has told so far. */
class Followed implements Disposable {
  readonly client: SlowClient;
  readonly directory: ManagerDirectory;
  tenants: ReadonlyMap<string, TenantLimits> | null = null;
  readonly ips: (readonly string[])[] = [];
  readonly migrations: string[] = [];
  readonly withdrawn: unknown[] = [];
  listed = 0;
  readonly running: Set<VsiId>;
  #told = Promise.withResolvers<void>();

  constructor(url: string, state: string, running = new Set<VsiId>()) {
    this.running = running;
    this.client = new SlowClient(url, { backoff: soon });
    this.directory = new ManagerDirectory(this.client, state, () => {});
    const told = () => {
      this.#told.resolve();
      this.#told = Promise.withResolvers();
    };
    this.directory.open({
      runs: (vsiId) => this.running.has(vsiId),
      profileChanged: told,
      tenantsChanged: (tenants) => {
        this.tenants = new Map(tenants);
        told();
      },
      ipsChanged: (_, ips) => {
        this.ips.push(ips);
        told();
      },
      withdrawn: (what) => {
        this.withdrawn.push(what);
        told();
      },
      listed: () => {
        this.listed++;
        told();
      },
      migrationStopped: () => {
        this.migrations.push('stopped');
        told();
      },
      migrationEnded: () => {
        this.migrations.push('ended');
        told();
      },
      migrationOpened: () => {},
    });
  }

  async until(condition: () => boolean): Promise<void> {
    // what is withheld is not told
    while (!condition()) await Promise.race([this.#told.promise, setTimeout(20)]);
  }

  grantOf(number: number) {
    return this.directory.kept(vsiIdOf(number), web.ref).grant;
  }

  known() {
    return this.directory.known(vsiIdOf(1), parseProfileKey('dc1/17/1'));
  }

  [Symbol.dispose]() {
    this.directory.close();
    this.client.close();
  }
}

const maxOf = (tenants: ReadonlyMap<string, TenantLimits> | null) => tenants?.get('acme')?.rate['to-vm']?.max;

test("tenants' limits are told as they change, and known on the day the manager is away", async () => {
  const state = temporaryDirectory();
  {
    await using run = await running();
    await seed(run.client);
    using followed = new Followed(run.url, state);
    await followed.until(() => followed.known() !== null);
    assert.equal(maxOf(followed.tenants), undefined);
    await run.client.put('tenants', limited);
    await followed.until(() => maxOf(followed.tenants) === 8000);
    await run.client.put('tenants', { ...limited, name: 'umbrella' });
    await followed.until(() => followed.tenants!.size === 2);
    await run.client.delete('tenants', 'umbrella');
    await followed.until(() => followed.tenants!.size === 1);
  }
  using alone = new Followed('http://127.0.0.1:1', state);
  assert.equal(maxOf(alone.tenants), 8000);
  assert.equal(alone.known()?.profile?.tenant, 'acme');
});

test('a VSI that nobody knew yet is granted with the limits of its tenant', async () => {
  await using run = await running();
  await run.client.put('tenants', limited);
  using followed = new Followed(run.url, temporaryDirectory());
  await run.client.put('profiles', web);
  await run.client.put('vsis', vsi(1, web));
  await followed.directory.fetch(vsiIdOf(1), web.ref);
  const { grant, profile } = followed.directory.kept(vsiIdOf(1), web.ref);
  assert.equal(grant?.vsiId, vsiIdOf(1));
  assert.equal(profile?.tenant, 'acme');
  assert.equal(maxOf(followed.tenants), 8000, 'it was told before the answer');
});

test("a VSI's IP addresses are told as they change, and withdraw nothing", async () => {
  await using run = await running();
  await seed(run.client);
  using followed = new Followed(run.url, temporaryDirectory());
  await followed.until(() => followed.ips.length > 0);
  assert.deepEqual(followed.ips, [[]]);
  await run.client.put('vsis', vsi(1, web, { ips: ['10.0.0.1'] }));
  await followed.until(() => followed.ips.length > 1);
  assert.deepEqual(followed.ips.at(-1), ['10.0.0.1']);
  assert.deepEqual(followed.known()?.grant?.ips, ['10.0.0.1']);
  assert.deepEqual(followed.withdrawn, []);
});

test('an answer from before a deletion that is known by now brings nothing back', async () => {
  await using run = await running();
  await seed(run.client);
  using followed = new Followed(run.url, temporaryDirectory());
  await followed.until(() => followed.known() !== null);
  const { client, directory } = followed;
  const gate = Promise.withResolvers<void>();
  client.held = gate.promise;
  const fetched = directory.fetch(vsiIdOf(1), web.ref);
  while (client.answers < 2) await new Promise((resolve) => setImmediate(resolve));
  await run.client.delete('vsis', vsiIdOf(1));
  await run.client.delete('profiles', 'dc1/17/1');
  await followed.until(() => followed.withdrawn.length === 2);
  gate.resolve();
  await fetched;
  assert.deepEqual(directory.kept(vsiIdOf(1), web.ref), { grant: undefined, profile: undefined });
});

test('it tells once that all is listed, when all is known that the lists name', async () => {
  const state = temporaryDirectory();
  await using run = await running();
  await seed(run.client);
  using followed = new Followed(run.url, state);
  assert.equal(followed.listed, 0);
  await followed.until(() => followed.listed > 0);
  assert.notEqual(followed.known(), null);
  await run.client.put('vsis', vsi(2, web));
  await followed.until(() => followed.ips.length > 1);
  assert.equal(followed.listed, 1);
  using alone = new Followed('http://127.0.0.1:1', state);
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(alone.listed, 0, 'a copy may be old');
});

const dc1 = (typeId: number) => profile(typeId);

/** A manager on a file at a place of its own, so that others may take it. */
function place() {
  const directory = temporaryDirectory();
  const database = join(directory, 'm.db');
  const listen = [`unix:${join(directory, 'm.sock')}`];
  return { database, start: (file = database) => running({ database: file, listen }) };
}

const names = ({ directory }: Followed) =>
  [1, 2, 3, 4, 10, 11].filter((n) => directory.kept(vsiIdOf(n), web.ref).grant);

test('what a restored database lacks is withheld from running VMs until it is accepted; all else follows it', async () => {
  const { database, start } = place();
  const state = temporaryDirectory();
  const backup = `${database}.backup`;
  {
    await using run = await start();
    await seed(run.client);
    await run.client.put('vsis', vsi(2, web));
  }
  copyFileSync(database, backup);
  let followed: Followed;
  {
    await using run = await start();
    followed = new Followed(run.url, state);
    await run.client.put('profiles', dc1(18));
    await run.client.put('vsis', vsi(3, web));
    await run.client.put('vsis', vsi(4, web));
    await run.client.put('vsis', vsi(2, dc1(18)));
    await followed.until(
      () => followed.grantOf(4) !== undefined && followed.grantOf(2)?.profile === 'dc1/18/1',
    );
  }
  using _ = followed;
  followed.running.add(vsiIdOf(2)).add(vsiIdOf(3));
  followed.withdrawn.length = 0;
  copyFileSync(backup, database);
  rmSync(`${database}-wal`, { force: true });
  await using run = await start();
  for (let n = 10; n < 30; n++) await run.client.put('vsis', vsi(n, web));
  // each collection has a watch of its own
  await followed.until(() => followed.grantOf(29) !== undefined && followed.directory.withheld().size === 3);
  assert.deepEqual(names(followed), [1, 2, 3, 10, 11]);
  assert.equal(followed.grantOf(2)?.profile, 'dc1/18/1', 'what its VM has stays');
  assert.deepEqual(followed.withdrawn, [{ vsiId: vsiIdOf(4) }], 'it does not run');
  assert.deepEqual(
    [...followed.directory.withheld().keys()],
    [`VSI ${vsiIdOf(3)} (vm3)`, `VSI ${vsiIdOf(2)} (vm2)`, 'profile dc1/18/1'],
  );

  // a bridge's word on where the VM is, is not the administrator's
  const where = { association: 'associated', bridge: 'sw', port: 'p1', station: null, at: 1 } as const;
  await run.client.putStatus(vsiIdOf(2), where);
  await run.client.put('vsis', vsi(30, web));
  await followed.until(() => followed.grantOf(30) !== undefined);
  assert.equal(followed.grantOf(2)?.profile, 'dc1/18/1');

  // a restarted agent withholds it still, once its copy says that VSI 4 is gone
  const written = () => !readFileSync(join(state, 'directory.json'), 'utf8').includes(vsiIdOf(4));
  await followed.until(written);
  using again = new Followed(run.url, state, followed.running);
  await again.until(() => again.grantOf(30) !== undefined && again.listed > 0);
  assert.equal(again.directory.withheld().size, 3);
  assert.deepEqual(again.withdrawn, []);

  await run.client.accept();
  await followed.until(
    () => followed.grantOf(3) === undefined && followed.grantOf(2)?.profile === 'dc1/17/1',
  );
  assert.equal(followed.directory.withheld().size, 0);
});

test('an empty or foreign database takes nothing from running VMs, and what ends is let go of', async () => {
  const { database, start } = place();
  let followed: Followed;
  {
    await using run = await start();
    await seed(run.client);
    await run.client.put('vsis', vsi(2, web));
    followed = new Followed(run.url, temporaryDirectory());
    await followed.until(() => followed.grantOf(2) !== undefined && followed.listed > 0);
  }
  using _ = followed;
  followed.running.add(vsiIdOf(1)).add(vsiIdOf(2));
  await using run = await start(`${database}.other`);
  await followed.until(() => followed.directory.withheld().size === 4);
  assert.deepEqual([followed.withdrawn, names(followed)], [[], [1, 2]]);
  assert.notEqual(followed.known(), null, 'profile and tenant are there for it');
  followed.running.delete(vsiIdOf(2));
  assert.equal(followed.directory.withheld().size, 3);
  assert.deepEqual(followed.withdrawn, [{ vsiId: vsiIdOf(2) }]);
  await seed(run.client);
  await followed.until(() => followed.directory.withheld().size === 0);
  assert.deepEqual(followed.withdrawn, [{ vsiId: vsiIdOf(2) }], 'the administrator wrote it anew');
});

test('what was deleted while the agent was down is withdrawn when it comes back to the same database', async () => {
  const state = temporaryDirectory();
  await using run = await running();
  await seed(run.client);
  await run.client.put('vsis', vsi(2, web));
  {
    using followed = new Followed(run.url, state);
    await followed.until(() => followed.grantOf(2) !== undefined && followed.listed > 0);
  }
  await run.client.delete('vsis', vsiIdOf(2));
  using again = new Followed(run.url, state, new Set([vsiIdOf(1), vsiIdOf(2)]));
  await again.until(() => again.listed > 0);
  assert.deepEqual(again.withdrawn, [{ vsiId: vsiIdOf(2) }]);
});

test('the manager says of a migration that the VM has stopped at its source, once, and that it has failed', async () => {
  await using run = await running();
  await seed(run.client);
  using followed = new Followed(run.url, temporaryDirectory());
  await followed.until(() => followed.known() !== null);
  const vsiId = vsiIdOf(1);
  const report = (moment: MigrationReport['moment']) =>
    run.client.report({
      vsiId,
      moment,
      at: Date.now() * 1000,
      by: 'h1',
      ...(moment === 'fail' && { reason: 'x' }),
    });
  for (const moment of ['announce', 'ready', 'stop', 'resume', 'fail'] as const) await report(moment);
  await followed.until(() => followed.migrations.includes('ended'));
  assert.deepEqual(followed.migrations, ['stopped', 'ended']);
});
