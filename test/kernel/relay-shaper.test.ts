import assert from 'node:assert/strict';
import { after, afterEach, before, describe, it } from 'node:test';
import type { TenantLimits } from '../../src/domain/port-profile.ts';
import { run } from '../../src/linux/run.ts';
import { RelayError, type RelayPort } from '../../src/relay/contract/relay.ts';
import { broadcast, ethernet, plain } from '../kit/relay/frames.ts';
import { at, macOf, network, state, station, type VsiSpec } from '../kit/relay/states.ts';
import { KernelSwitch } from '../kit/kernel/relay-harness.ts';

const [red, blue, sink] = [macOf(1), macOf(2), macOf(3)];
const shapedTo = (shaper: number): RelayPort => ({ kind: 'station', reflectiveRelay: true, shaper });
const shaped = { s1: station, s2: station, s3: shapedTo(8_000_000) };
const vsis: Record<number, VsiSpec> = {
  1: { active: at('s1'), policy: { tenant: 'red' } },
  2: { active: at('s2'), policy: { tenant: 'blue' } },
  3: { active: at('s3'), policy: { tenant: 'green' } },
};
const guaranteed = (rate: number): TenantLimits => ({ rate: {}, guaranteed: rate });
const frame = (from: string) => ethernet(sink, from, 0x88b5, new Uint8Array(986));

describe('a port with a shaper', () => {
  let kernel: KernelSwitch;
  before(async () => {
    kernel = await KernelSwitch.open(['s1', 's2', 's3', 'n1']);
  });
  afterEach(() => kernel.apply(state({})));
  after(() => kernel.close());

  const tc = (what: 'qdisc' | 'class') => run('tc', ['-n', kernel.namespace, what, 'show', 'dev', 's3']);
  const isFrom = (mac: string) => (bytes: Uint8Array) =>
    Buffer.from(bytes.subarray(6, 12)).toString('hex') === mac.replaceAll(':', '');

  it('leaves each tenant its share when all send as much as they can', async () => {
    // 5 Mbit/s and 1 Mbit/s are theirs, and of the rest each gets half: 6 to 2
    kernel.apply(state(shaped, vsis, { red: guaranteed(1_000_000), blue: guaranteed(5_000_000) }));
    for (let taken = 0; taken < 1800;) {
      for (const [port, from] of [
        ['s1', red],
        ['s2', blue],
      ] as const)
        while (kernel.offer(port, frame(from))) taken++;
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    const out = (await kernel.drain()).get('s3')!.slice(400, 1400); // what both had queued before is past
    const [reds, blues] = [red, blue].map((mac) => out.filter(isFrom(mac)).length) as [number, number];
    assert.equal(reds + blues, 1000);
    assert.ok(blues > 2 * reds && blues < 4 * reds, `${blues} to ${reds}`);
  });

  it('queues each copy of a group frame as its own receiver’s', async () => {
    const sharing: Record<number, VsiSpec> = {
      1: { active: at('s3', 7), policy: { tenant: 'red' } },
      2: { active: at('s3', 8), policy: { tenant: 'blue' } },
      3: { active: at('s1'), policy: { tenant: 'green' } },
    };
    kernel.apply(
      state({ ...shaped, n1: network(10) }, sharing, {
        red: guaranteed(1_000_000),
        blue: guaranteed(2_000_000),
      }),
    );
    for (let i = 0; i < 5; i++) await kernel.exchange('n1', plain(broadcast, macOf(9), `frame ${i}`));
    const classes = (await run('tc', ['-n', kernel.namespace, '-s', 'class', 'show', 'dev', 's3'])).split(
      'class',
    );
    for (const rate of ['1Mbit', '2Mbit'])
      assert.match(
        classes.find((text) => text.includes(`rate ${rate}`))!,
        / 5 pkt/,
        `at ${rate}`,
      );
  });

  it('is shaped anew when the shaper or a guarantee changes, and by the next process as well', async () => {
    kernel.apply(state(shaped, vsis, { red: guaranteed(1_000_000), blue: guaranteed(2_000_000) }));
    assert.match(await tc('class'), /rate 1Mbit ceil 8Mbit/);
    assert.match(await tc('class'), /rate 2Mbit ceil 8Mbit/);
    kernel.relay.close();
    kernel.reopen();
    const held = kernel.relay.held();
    assert.deepEqual(held, state(shaped, vsis, { red: guaranteed(1_000_000), blue: guaranteed(2_000_000) }));
    const wider = { ...shaped, s3: shapedTo(10_000_000) };
    kernel.apply(state(wider, vsis, { blue: guaranteed(3_000_000) }));
    assert.match(await tc('class'), /rate 3Mbit ceil 10Mbit/);
    assert.doesNotMatch(await tc('class'), /rate [12]Mbit/);
  });

  it('sends what is queued for a tenant whose guarantee is withdrawn, whose class goes when it is empty', async () => {
    const left = async () => (await tc('class')).match(/ rate 8Kbit /g)?.length; // the rest's among them
    await kernel.drain();
    const narrow = { ...shaped, s3: shapedTo(2_000_000) };
    kernel.apply(state(narrow, vsis, { red: guaranteed(1_000_000) }));
    for (let sent = 0; sent < 120; sent++) kernel.send('s1', frame(red));
    kernel.apply(state(narrow, vsis));
    assert.equal(await left(), 2);
    let out = 0;
    for (const end = Date.now() + 5000; out < 120 && Date.now() < end;)
      out += (await kernel.drain()).get('s3')?.length ?? 0;
    assert.equal(out, 120);
    kernel.apply(state(shaped, vsis));
    assert.equal(await left(), 1);
  });

  it('loses its qdisc with its shaper, and so does a port that goes', async () => {
    for (const after of [state({ s1: station, s3: station }), state({ s1: station })]) {
      kernel.apply(state(shaped));
      assert.match(await tc('qdisc'), /htb 4850:/);
      kernel.apply(after);
      assert.doesNotMatch(await tc('qdisc'), /htb/);
    }
  });

  it('cannot deliver to its peer', () => {
    assert.throws(
      () => kernel.apply(state({ s1: { ...shapedTo(8_000_000), peerDelivery: true } as RelayPort })),
      (error) => error instanceof RelayError && /one or the other/.test(error.message),
    );
  });
});
