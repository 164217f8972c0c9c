import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ApiClient } from '../../../src/api/client.ts';
import { ManagerDirectory } from '../../../src/bridge/manager-directory.ts';
import type { TenantLimits } from '../../../src/domain/port-profile.ts';
import { parseProfileKey } from '../../../src/domain/profile-ref.ts';
import { acme, profile, running, seed, temporaryDirectory, vsi, vsiIdOf } from '../manager/support.ts';

const web = profile(17);
const limited = { ...acme, rate: { 'to-vm': { max: 8000, burst: 20_000 } }, guaranteed: null };

/** A directory of a manager, and what it has told so far. */
class Followed implements Disposable {
  readonly client: ApiClient;
  readonly directory: ManagerDirectory;
  tenants: ReadonlyMap<string, TenantLimits> | null = null;
  readonly ips: (readonly string[])[] = [];
  readonly withdrawn: unknown[] = [];
  #told = Promise.withResolvers<void>();

  constructor(url: string, state: string) {
    this.client = new ApiClient(url);
    this.directory = new ManagerDirectory(this.client, state);
    const told = () => {
      this.#told.resolve();
      this.#told = Promise.withResolvers();
    };
    this.directory.open({
      profileChanged: told,
      tenantsChanged: (tenants) => {
        this.tenants = new Map(tenants);
        told();
      },
      ipsChanged: (_, ips) => {
        this.ips.push(ips);
        told();
      },
      withdrawn: (what) => void this.withdrawn.push(what),
      migrationOpened: () => {},
      log: () => {},
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
  const { grant, profile } = await followed.directory.fetch(vsiIdOf(1), web.ref);
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
