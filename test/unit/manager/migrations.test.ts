import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { ApiError } from '../../../src/client/api-error.ts';
import type { ApiClient } from '../../../src/client/client.ts';
import { type MigrationReport, moments } from '../../../src/domain/migration.ts';
import { profile, running, seed, vsi, vsiIdOf } from '../../kit/manager/support.ts';

let clock = 1000;
const tell = (client: ApiClient, moment: MigrationReport['moment'], more: Partial<MigrationReport> = {}) =>
  client.report({ vsiId: vsiIdOf(1), moment, at: clock++, by: 'test', ...more });

describe('migration reports', () => {
  it('of agents that know no id make one migration', async () => {
    await using run = await running();
    const { client } = run;
    await seed(client);
    for (const moment of moments) assert.equal((await tell(client, moment)).id, '1');
    const stored = await client.get('migrations', '1');
    assert.equal(stored?.value.state, 'released');
    assert.deepEqual(Object.keys(stored.value.times), moments);
    assert.equal((await tell(client, 'announce')).id, '2');
    assert.equal((await tell(client, 'abort')).reason, 'test aborted it');
    assert.deepEqual(
      (await client.list('migrations')).items.map(({ value }) => value.id),
      ['1', '2'],
    );
  });

  it('that come all at once make one migration too', async () => {
    await using run = await running();
    const { client } = run;
    await seed(client);
    await tell(client, 'announce');
    const others = moments.filter((moment) => moment !== 'announce');
    const told = await Promise.all(others.map((moment) => tell(client, moment)));
    assert.deepEqual(new Set(told.map(({ id }) => id)), new Set(['1']));
    assert.equal((await client.get('migrations', '1'))?.value.state, 'released');
  });

  it('of a new one end one that got stuck', async () => {
    await using run = await running();
    const { client } = run;
    await seed(client);
    await tell(client, 'announce');
    await tell(client, 'ready');
    assert.equal((await tell(client, 'announce')).id, '2');
    const stuck = await client.get('migrations', '1');
    assert.equal(stuck?.value.state, 'failed');
    assert.match(stuck.value.reason!, /another migration/);
  });

  it('are refused in one line when they cannot be', async () => {
    await using run = await running();
    const { client } = run;
    await seed(client);
    await assert.rejects(tell(client, 'ready'), (error: ApiError) => {
      assert.equal(error.status, 409);
      assert.match(error.message, /^VSI 4a1b.* has no migration; "announce" or "reserve" opens one$/);
      return true;
    });
    await assert.rejects(tell(client, 'announce', { vsiId: vsiIdOf(9) }), { status: 404, field: 'vsiId' });
    await assert.rejects(tell(client, 'fail'), { message: /^reason: is missing; / });
    await assert.rejects(client.get('migrations', 'x'), {
      status: 400,
      message: /^"x" is not a migration; /,
    });
  });

  it('keep the newest finished migrations, and those on their way', async () => {
    await using run = await running({ keepMigrations: 3 });
    const { client } = run;
    await seed(client);
    await client.put('vsis', vsi(2, profile(17)));
    await tell(client, 'announce', { vsiId: vsiIdOf(2) });
    for (let i = 0; i < 6; i++) {
      await tell(client, 'announce');
      await tell(client, 'abort');
    }
    await tell(client, 'announce');
    const { items } = await client.list('migrations');
    assert.deepEqual(
      items.map(({ value: { id, state } }) => [id, state]),
      [
        ['1', 'announced'],
        ['5', 'aborted'],
        ['6', 'aborted'],
        ['7', 'aborted'],
        ['8', 'announced'],
      ],
    );
  });

  it('count one that was never released as finished when its VM has moved on', async () => {
    await using run = await running({ keepMigrations: 1 });
    const { client } = run;
    await seed(client);
    for (let i = 0; i < 4; i++) {
      await tell(client, 'announce');
      await tell(client, 'active');
    }
    const { items } = await client.list('migrations');
    assert.deepEqual(
      items.map(({ value: { id } }) => id),
      ['3', '4'],
    );
  });

  it('end with their VSI', async () => {
    await using run = await running();
    const { client } = run;
    await seed(client);
    await tell(client, 'announce');
    await client.delete('vsis', vsiIdOf(1));
    const { value } = (await client.get('migrations', '1'))!;
    assert.deepEqual([value.state, value.reason], ['failed', 'the VSI was deleted']);
    await seed(client);
    assert.equal((await tell(client, 'announce')).id, '2');
  });
});
