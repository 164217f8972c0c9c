import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ApiClient } from '../../../src/api/client.ts';
import type { CollectionName } from '../../../src/api/collections.ts';
import { ManagerDirectory } from '../../../src/bridge/manager-directory.ts';
import type { TenantLimits } from '../../../src/domain/port-profile.ts';
import { parseProfileKey } from '../../../src/domain/profile-ref.ts';
import type { VsiId } from '../../../src/domain/vsi-id.ts';
import { acme, profile, running, seed, temporaryDirectory, vsi, vsiIdOf } from '../manager/support.ts';

const web = profile(17);
const limited = { ...acme, rate: { 'to-vm': { max: 8000, burst: 20_000 } }, guaranteed: null };

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
  readonly withdrawn: unknown[] = [];
  listed = 0;
  readonly running = new Set<VsiId>();
  #told = Promise.withResolvers<void>();

  constructor(url: string, state: string) {
    this.client = new SlowClient(url);
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
      migrationOpened: () => {},
    });
  }

  async until(condition: () => boolean): Promise<void> {
    while (!condition()) await this.#told.promise;
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
