import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { callLocal, followLocal } from '../../../src/local/socket-client.ts';
import {
  DropWatch,
  type DropFilter,
  type Lost,
  type ShownDrop,
} from '../../../src/bridge/control/drop-watch.ts';
import { explanations } from '../../../src/cli/bridge/drop-reasons.ts';
import type { RuleCounts } from '../../../src/bridge/control/rule-counts.ts';
import type { ShownBridge } from '../../../src/bridge/control/show.ts';
import { bridgeStatus } from '../../../src/bridge/knowledge/status.ts';
import { VmNames } from '../../../src/bridge/control/vm-names.ts';
import { bridgeSchema } from '../../../src/api/bridge.ts';
import type { PortProfile } from '../../../src/domain/port-profile.ts';
import { parseVid } from '../../../src/domain/vid.ts';
import { dropReasons } from '../../../src/domain/drop-reason.ts';
import { profile, TestNetwork, web1 } from '../../kit/bridge/network.ts';
import { frame, sample, servedBridge } from '../../kit/bridge/served.ts';

const directory = mkdtempSync(join(tmpdir(), 'hp-control-'));
after(() => rmSync(directory, { recursive: true }));
const socket = join(directory, 'control.sock');

const guarded: PortProfile = {
  ...profile,
  trunk: [200, 300].map(parseVid),
  accessList: {
    rules: [
      { action: 'deny', direction: 'to-vm', protocol: 6, destinationPorts: { from: 23, to: 23 } },
      { action: 'allow', direction: 'both', source: { set: 'web' } },
    ],
    otherwise: 'deny',
    sets: { web: [{ address: '10.0.0.0', length: 8 }] },
  },
};

const served = (settings?: PortProfile) => servedBridge(socket, settings);

test('a bridge is shown with what is counted of its VSIs, the limits of tenants, and what is not in force', async () => {
  using run = await served();
  const { network } = run;
  network.bridge.tenantsChanged(
    new Map([['red', { rate: { 'to-vm': { max: 8000, burst: 20_000 } }, guaranteed: 8000 }]]),
  );
  network.speaks('p1');
  network.hears();
  await network.happens('p2', 'incoming');
  network.speaks('p2');
  network.relay.capabilities.features.delete('mirror');
  network.bridge.profileChanged({ ...profile, mirror: { session: 'tap', direction: 'both' } });
  const bridge = (await callLocal(socket, 'show')) as ShownBridge;
  assert.deepEqual(bridge.vsis, [
    {
      vsiId: web1.vsiId,
      vm: 'web1',
      profile: 'dc1/17/1',
      tenant: 'red',
      vlan: 100,
      provisional: null,
      trunk: [],
      places: [
        {
          port: 'p1',
          role: 'active',
          fromVm: { frames: 1, octets: 60 },
          toVm: { frames: 1, octets: 60 },
          dropped: {},
        },
        {
          port: 'p2',
          role: 'armed',
          fromVm: { frames: 0, octets: 0 },
          toVm: { frames: 0, octets: 0 },
          dropped: { armed: 1 },
        },
      ],
    },
  ]);
  assert.deepEqual(bridge.tenants, [
    { name: 'red', rate: { toVm: { max: 8000, burst: 20_000 } }, guaranteed: 8000 },
  ]);
  const refused = [{ what: 'profile dc1/17/1', reason: 'the test relay has no mirror' }];
  assert.deepEqual(bridge.refused, refused);
  const status = bridgeSchema.parse(bridgeStatus('sw', network.bridge, network.relay, 1));
  assert.deepEqual(status.refused, refused);
  const { counters } = status.ports.find(({ name }) => name === 'p2')!;
  assert.equal((counters as { dropped: Record<string, number> }).dropped['armed'], 1);
});

test('the rules of an access list are told as they are written, with their counts', async () => {
  using run = await served(guarded);
  run.network.relay.ruleFrames = () => [3, 5, 7];
  const expected: RuleCounts[] = [
    {
      vsiId: web1.vsiId,
      vm: 'web1',
      profile: web1.profile,
      rules: [
        {
          rule: { action: 'deny', direction: 'to-vm', protocol: 'tcp', destinationPorts: '23' },
          frames: 3,
        },
        { rule: { action: 'allow', direction: 'both', source: '@web' }, frames: 5 },
      ],
      otherwise: { action: 'deny', frames: 7 },
    },
  ];
  for (const vsi of ['web1', web1.vsiId, web1.vsiId.toUpperCase()])
    assert.deepEqual(await callLocal(socket, 'rules', { vsi }), expected);
  run.network.relay.ruleFrames = () => null;
  const [unknown] = (await callLocal(socket, 'rules', { vsi: 'web1' })) as RuleCounts[];
  assert.equal(unknown?.otherwise.frames, null);
  await assert.rejects(callLocal(socket, 'rules', { vsi: 'web2' }), /no VSI "web2" is at this bridge/);
  await assert.rejects(callLocal(socket, 'rules', {}), /rules: vsi: is missing; a text would be right/);
});

test('dropped frames are told as they come, with the VM and what was in them', async () => {
  using run = await served();
  const { relay } = run.network;
  const stop = new AbortController();
  const stream = followLocal(socket, 'drops', {}, stop.signal);
  const first = stream.next();
  await until(() => relay.watchers === 1);
  relay.dropped(sample());
  relay.dropped(sample({ port: 'p2', vsi: null, reason: 'unassociated', wireVid: parseVid(300) }));
  const toIt = Buffer.concat([frame.subarray(6, 12), frame.subarray(0, 6), frame.subarray(12)]);
  relay.dropped(sample({ port: 'n1', vsi: null, reason: 'unknown-destination', frame: toIt }));
  relay.dropped(sample({ vsi: null, reason: 'vlan', frame: frame.subarray(0, 7) }));
  assert.deepEqual((await first).value, {
    at: 5000,
    port: 'p1',
    vsi: web1.vsiId,
    vm: 'web1',
    reason: 'access-list',
    vid: null,
    octets: 60,
    summary: '52:54:00:00:00:0a > 02:00:00:00:00:99, 0x88b5',
    frame: '02000000009952540000000a88b50000',
  });
  const { vm, vid, reason } = (await stream.next()).value as ShownDrop;
  assert.deepEqual([vm, vid, reason], ['web1', 300, 'unassociated'], 'known by its address');
  assert.equal(((await stream.next()).value as ShownDrop).vm, 'web1', 'it was to go there');
  assert.equal(((await stream.next()).value as ShownDrop).vm, null);
  stop.abort();
  assert.equal((await stream.next()).done, true);
  await until(() => relay.watchers === 0);
});

test('a follower sees what it asked for', async () => {
  using run = await served();
  const { relay } = run.network;
  const filters: [DropFilter, number][] = [
    [{}, 3],
    [{ port: 'p2' }, 1],
    [{ vsi: 'web1' }, 2],
    [{ vsi: web1.vsiId }, 2],
    [{ vsi: 'web2' }, 0],
    [{ reason: 'rate', port: 'p1' }, 1],
  ];
  const counts = filters.map(() => 0);
  const ends = filters.map(async ([filter], i) => {
    for await (const drop of followLocal(socket, 'drops', filter, new AbortController().signal))
      if (!('lost' in (drop as object))) counts[i]!++;
  });
  await until(() => relay.watchers === 1);
  for (let turn = 0; turn < 5; turn++) await callLocal(socket, 'show'); // by now all of them are there
  relay.dropped(sample({ reason: 'rate' }));
  relay.dropped(sample());
  relay.dropped(sample({ port: 'p2', vsi: null, frame: Buffer.alloc(14) }));
  const expected = filters.map(([, count]) => count);
  await until(() => sum(counts) === sum(expected));
  run.control.close();
  await Promise.all(ends);
  assert.deepEqual(counts, expected);
  await assert.rejects(callLocal(socket, 'show'), /nobody serves it/);
});

test('what no follower can ask for is refused in one line', async () => {
  using run = await served();
  assert.equal(run.network.relay.watchers, 0);
  const ask = (filter: object) => followLocal(socket, 'drops', filter, new AbortController().signal).next();
  await assert.rejects(ask({ port: 'p9' }), /^Invalid: sw has no port p9; it has n1, p1, p2$/);
  await assert.rejects(
    ask({ reason: 'bad luck' }),
    /^Invalid: drops: reason: is "bad luck"; "unassociated", /,
  );
  await assert.rejects(
    ask({ prot: 'p1' }),
    /^Invalid: drops: prot: is not a known key; port, vsi, reason would/,
  );
  assert.equal(run.network.relay.watchers, 0);
});

function watchOf({ relay, bridge, directory }: TestNetwork): DropWatch {
  return new DropWatch(relay, new VmNames(bridge, directory), (ns) => Number(ns / 1000n));
}

test('a follower that does not keep up loses what is too much, at that place, and the others nothing', async () => {
  const network = new TestNetwork();
  const watch = watchOf(network);
  const stop = new AbortController();
  const [slow, fast] = [watch.follow({}, stop.signal), watch.follow({}, stop.signal)].map((each) =>
    each[Symbol.asyncIterator](),
  );
  const next = async (of: typeof slow) => (await of!.next()).value as ShownDrop | Lost;
  let fastCount = 0;
  for (let i = 0; i < 2500; i++) {
    network.relay.dropped(sample({ octets: i }));
    if (!('lost' in (await next(fast)))) fastCount++;
  }
  assert.equal(fastCount, 2500);
  for (let i = 0; i < 1000; i++) assert.equal(((await next(slow)) as ShownDrop).octets, i);
  assert.deepEqual(await next(slow), { lost: 1500 });
  network.relay.dropped(sample({ octets: 2500 }));
  assert.equal(((await next(slow)) as ShownDrop).octets, 2500);
  assert.equal(network.relay.watchers, 1, 'the relay is asked once for all');
  stop.abort();
  assert.equal((await slow!.next()).done, true);
  assert.equal((await fast!.next()).done, true);
  assert.equal(network.relay.watchers, 0);
});

test('a reader that stands still costs no more than what waits for it', async () => {
  using run = await served();
  const { relay } = run.network;
  const stream = followLocal(socket, 'drops', {}, new AbortController().signal);
  const first = stream.next();
  await until(() => relay.watchers === 1);
  const total = 20_000;
  for (let i = 0; i < total; i++) {
    relay.dropped(sample());
    if (i % 50 === 0) await turn(); // it does not read, and the agent goes on
  }
  let [seen, lost] = [1, 0];
  assert.ok(!('lost' in ((await first).value as object)));
  while (seen + lost < total) {
    const drop = (await stream.next()).value as ShownDrop | Lost;
    if ('lost' in drop) lost += drop.lost;
    else seen++;
  }
  assert.equal(seen + lost, total);
  assert.ok(lost > 0, 'more than any buffer holds');
});

test('each reason is explained in a sentence and a hint, each in one line', () => {
  assert.deepEqual(Object.keys(explanations), [...dropReasons]);
  for (const { words, why, hint } of Object.values(explanations)) {
    assert.match(words, /^[^\n.]{5,45}$/);
    assert.match(why, /^[A-Z"][^\n]{20,200}\.$/);
    assert.match(hint, /^[A-Z"n][^\n]{20,250}\.$/);
  }
});

const sum = (counts: readonly number[]) => counts.reduce((all, count) => all + count, 0);

const turn = () => new Promise((resolve) => setImmediate(resolve));

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await turn();
}
