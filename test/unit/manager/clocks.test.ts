import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { MigrationReport } from '../../../src/domain/migration.ts';
import { judged } from '../../../src/manager/migration/agent-clock.ts';
import { profile, running, seed, vsi, vsiIdOf, type Running } from '../../kit/manager/support.ts';

const second = 1_000_000;
const now = () => Date.now() * 1000;
const in2038 = 2_147_483_648 * second;

/** Tells a report as an agent whose clock is so many seconds ahead, or one that does not say what its clock shows. */
async function tell(
  { url }: Running,
  moment: MigrationReport['moment'],
  { by = 'h1', at, ahead }: { by?: string; at?: number; ahead?: number },
  more: Partial<MigrationReport> = {},
) {
  const clock = now() + (ahead ?? 0) * second;
  const response = await fetch(`${url}/v1/migrations/reports`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      ...(ahead !== undefined && { 'hairpin-clock': String(clock) }),
    },
    body: JSON.stringify({ vsiId: vsiIdOf(1), moment, at: at ?? clock, by, ...more }),
  });
  return { status: response.status, json: (await response.json()) as Record<string, any> };
}

describe("an agent's clock", () => {
  it('is believed where it agrees with the manager, and else corrected by what is known of it', () => {
    assert.deepEqual(judged(100 * second, 100.5 * second, null), { at: 100 * second, offset: null });
    assert.deepEqual(judged(90 * second, 100 * second, 100 * second), { at: 90 * second, offset: null });
    assert.deepEqual(judged(100 * second, 200 * second, 105 * second), {
      at: 195 * second,
      offset: 95 * second,
    });
    assert.deepEqual(judged(in2038, 200 * second, null), { at: 200 * second, offset: 200 * second - in2038 });
    assert.deepEqual(judged(in2038, 200 * second, 200 * second).at, 200 * second, 'a time of its own future');
  });

  it('in 2038 holds up no later move, and is flagged with the offset', async () => {
    await using run = await running();
    await seed(run.client);
    const first = await tell(run, 'announce', { at: in2038 });
    assert.equal(first.status, 201);
    assert(Math.abs(first.json['times'].announce - now()) < 60 * second);
    const { by, offset } = first.json['clocks'].announce;
    assert.equal(by, 'h1');
    assert(offset < -300_000_000 * second);
    assert.equal(
      (await tell(run, 'announce', { at: in2038 })).json['id'],
      '1',
      'the same report, told again',
    );
    for (const moment of ['ready', 'active', 'release'] as const) await tell(run, moment, {});
    const next = await tell(run, 'announce', {});
    assert.deepEqual([next.status, next.json['id'], next.json['clocks']], [201, '2', undefined]);
  });

  it('5 s behind makes no resume before its stop, and one back at once is a migration of its own', async () => {
    await using run = await running();
    await seed(run.client);
    const [h1, h2] = [
      { by: 'h1', ahead: 0 },
      { by: 'h2', ahead: -5 },
    ];
    await tell(run, 'announce', h2);
    await tell(run, 'stop', h1);
    const { json } = await tell(run, 'resume', h2);
    assert(json['times'].resume >= json['times'].stop);
    assert(json['times'].resume - json['times'].stop < 4 * second);
    assert(Math.abs(json['clocks'].resume.offset - 5 * second) < 2 * second);
    assert.equal(json['clocks'].stop, undefined);
    await tell(run, 'active', { by: 'sw', ahead: 0 });
    const back = await tell(run, 'announce', { by: 'h1', ahead: 0 });
    assert.deepEqual([back.status, back.json['id']], [201, '2']);
    await tell(run, 'active', { by: 'sw', ahead: 0 });
    const again = await tell(run, 'reserve', h2);
    assert.deepEqual([again.status, again.json['id']], [201, '3']);
  });

  it('that does not say what it shows is flagged as well, and a little one is put in order', async () => {
    await using run = await running();
    await seed(run.client);
    await tell(run, 'announce', {});
    const { json: stopped } = await tell(run, 'stop', { by: 'h1' });
    const { stop } = stopped['times'];
    const { json } = await tell(run, 'resume', { by: 'h2', at: stop - 4.95 * second });
    assert(json['times'].resume >= stop);
    assert.equal(json['clocks'].resume.by, 'h2');
    await run.client.put('vsis', vsi(2, profile(17)));
    const of2 = { vsiId: vsiIdOf(2) };
    await tell(run, 'announce', {}, of2);
    const late = (await tell(run, 'stop', { by: 'h1' }, of2)).json['times'].stop;
    const { json: little } = await tell(run, 'resume', { by: 'h2', at: late - 3000 }, of2);
    assert.deepEqual([little['times'].resume, little['clocks'].resume], [late, { by: 'h2', offset: 3000 }]);
  });

  it('in times that an earlier Hairpin believed holds up nothing either', async () => {
    await using run = await running();
    await seed(run.client);
    await tell(run, 'announce', {});
    await tell(run, 'active', {});
    const { belongs } = await import('../../../src/manager/migration/machine.ts');
    const { value } = (await run.client.get('migrations', '1'))!;
    const wrong = { ...value, times: { announce: in2038, active: in2038 + 1 } };
    const report = { vsiId: vsiIdOf(1), moment: 'announce' as const, at: now(), by: 'h1' };
    assert.equal(belongs(wrong, report), 'new');
  });

  it('of a bridge says no later than now where a VSI is', async () => {
    await using run = await running();
    await seed(run.client);
    const place = { association: 'associated', bridge: 'sw', station: null } as const;
    await run.client.putStatus(vsiIdOf(1), { ...place, port: 'p1', at: in2038 });
    await new Promise((resolve) => setTimeout(resolve, 5));
    await run.client.putStatus(vsiIdOf(1), { ...place, port: 'p2', at: now() });
    assert.equal((await run.client.get('vsis', vsiIdOf(1)))?.value.status?.port, 'p2');
  });
});
