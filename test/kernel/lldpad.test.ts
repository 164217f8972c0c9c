import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { Lldpad } from '../../src/bench/peers/lldpad.ts';
import type { FilterInfo } from '../../src/domain/filter-info.ts';
import { parseVid } from '../../src/domain/vid.ts';
import type { VdpErrorCode } from '../../src/protocol/vdp/association.ts';
import type { Verdict } from '../../src/protocol/vdp/bridge.ts';
import { Agent, asked, mac, until, vsiId, Wires, type Book, type Request } from './lldpad-harness.ts';

const vlan = 100;
const sixty = Array.from({ length: 60 }, (_, i) => mac(0x2000 + i));
const granted = { kind: 'granted' } as const;
const rejected = (code: VdpErrorCode | null) => ({ kind: 'rejected', code }) as const;

/** VSIs 1 to 39 have an address each, 40 has sixty, 41 that of VSI 1, 42 two. */
const book: Book = {
  profiles: [{ managerId: 'mgr1', typeId: 17, vlan }],
  vsis: [
    ...Array.from({ length: 39 }, (_, i) => ({
      vsiId: vsiId(i + 1),
      macs: [mac(i + 1)],
      profile: 'mgr1/17/1',
    })),
    { vsiId: vsiId(40), macs: sixty, profile: 'mgr1/17/1' },
    { vsiId: vsiId(41), macs: [mac(1)], profile: 'mgr1/17/1' },
    { vsiId: vsiId(42), macs: [mac(0x42), mac(0x43)], profile: 'mgr1/17/1' },
  ],
};

function filled({ format, entries }: FilterInfo): FilterInfo {
  return {
    format,
    entries: entries.map((entry) => (entry.vid === 0 ? { ...entry, vid: parseVid(vlan) } : entry)),
  };
}

test('our machine and lldpad: refusals', async (t) => {
  await using wires = await Wires.lay();
  let verdict: (request: Request) => Verdict;
  const accept = ({ filter }: Request): Verdict => ({ kind: 'accept', filter: filled(filter) });
  verdict = accept;
  const bridge = wires.scripted((request) => verdict(request));
  const station = await wires.station('p1');

  await t.test('each code reaches lldpad as what it is', async () => {
    const codes: VdpErrorCode[] = [
      'invalid format',
      'insufficient resources',
      'unable to contact VSI manager',
      'other failure',
      'invalid VID, GroupID or MAC address',
    ];
    for (const [i, code] of codes.entries()) {
      const vsi = asked(i + 1, [`100-${mac(1)}`]);
      for (const hard of [false, true]) {
        verdict = () => ({ kind: 'refuse', code, hard, reason: 'test' });
        assert.deepEqual(await station.request('associate', vsi), rejected(hard ? null : code));
        assert.equal(await station.held(vsi.vsiId), '');
      }
    }
  });

  await t.test('a change refused with KEEP leaves what was there, at both ends', async () => {
    verdict = accept;
    const vsi = asked(10, [`100-${mac(10)}`]);
    assert.deepEqual(await station.request('pre-associate', vsi), granted);
    verdict = () => ({ kind: 'refuse', code: 'insufficient resources', keep: true, reason: 'test' });
    const outcome = station.request('associate', vsi);
    const state = () => bridge.driver.machine.state();
    await until('the refusal', state, ({ counters }) => counters.vdp.commandReverts === 1);
    assert.equal(state().vsis[0]?.association, 'pre-associated');
    // lldpad takes KEEP for a success until its keep-alive is refused again, and lets go then
    await until('lldpad lets go', state, ({ vsis }) => vsis.length === 0);
    assert.equal(await station.held(vsi.vsiId), '');
    await outcome;
  });

  await t.test('what the bridge lets go of, lldpad lets go of', async () => {
    verdict = accept;
    const vsi = asked(11, [`100-${mac(11)}`]);
    assert.deepEqual(await station.request('associate', vsi), granted);
    assert.match(await station.held(vsi.vsiId), /assoc/);
    bridge.driver.do((port, now) => port.deassociate(vsi.vsiId, now));
    await until(
      'lldpad still holds it',
      () => station.held(vsi.vsiId),
      (text) => text === '',
    );
    assert.deepEqual(await station.request('associate', vsi), granted, 'and may ask for it again');
  });

  await t.test('hints are read', async () => {
    for (const [n, hints, expected] of [
      [12, 'to', { migrating: true, suspended: false }],
      [13, 'from', { migrating: false, suspended: true }],
    ] as const) {
      assert.deepEqual(await station.request('associate', asked(n, [`100-${mac(n)}`], { hints })), granted);
      const request = bridge.seen.findLast((output) => output.kind === 'request');
      assert.deepEqual(request?.kind === 'request' && request.hints, expected);
    }
  });
});

test('the bridge agent and lldpad', async (t) => {
  let wires: Wires;
  let agent: Agent;
  let station: Lldpad;
  before(async () => {
    wires = await Wires.lay();
    agent = await Agent.start(wires, book);
    station = await wires.station('p1');
  });
  after(() => wires[Symbol.asyncDispose]());
  const association = async (n: number) => (await agent.held('p1'))[vsiId(n)];

  await t.test('every filter format, VID 0, a priority, several and sixty filters are granted', async () => {
    const cases: [number, string[]][] = [
      [1, [`100-${mac(1)}`]],
      [2, [`0-${mac(2)}`]],
      [3, ['100']],
      [4, ['0']],
      [5, ['100--7']],
      [6, ['0--8']],
      [7, [`100-${mac(7)}-7`]],
      [8, [`0-${mac(8)}-9`]],
      [9, [String(((8 | 5) << 12) | 100)]],
      [42, [`100-${mac(0x43)}`, `100-${mac(0x42)}`]],
      [40, sixty.map((address) => `100-${address}`)],
    ];
    for (const [n, filters] of cases)
      assert.deepEqual(await station.request('associate', asked(n, filters)), granted, filters.join(' '));
    const held = await agent.held('p1');
    assert.deepEqual(Object.keys(held).sort(), cases.map(([n]) => vsiId(n)).sort());
    assert.match(await station.held(vsiId(2)), /filter = 0-/, 'libvirt goes on to ask for it by VID 0');
    const { evb, neighbour, counters } = await agent.port('p1');
    assert.deepEqual([evb.dialect, evb.reflectiveRelay, evb.groupIds], ['ratified', true, true]);
    assert.ok(neighbour);
    assert.equal(counters.ecp.txFailures, 0);
  });

  await t.test(
    'what the database does not allow is refused with its code, and the reason is shown',
    async () => {
      const cases: [number, string[], VdpErrorCode, RegExp][] = [
        [10, ['200'], 'invalid VID, GroupID or MAC address', /asked for VLAN 200; its profile has 100/],
        [10, ['100', '200'], 'invalid VID, GroupID or MAC address', /asked for VLAN 100, 200/],
        [10, ['100--7', '100--8'], 'invalid VID, GroupID or MAC address', /groups 7, 8; it can be in one/],
        [10, [`100-${mac(11)}`], 'invalid VID, GroupID or MAC address', /is not VSI/],
        [41, [`100-${mac(1)}`], 'insufficient resources', /belongs to/],
        [999, [`100-${mac(10)}`], 'other failure', /not in the manager's database/],
      ];
      for (const [n, filters, code, reason] of cases) {
        assert.deepEqual(
          await station.request('associate', asked(n, filters)),
          rejected(code),
          filters.join(' '),
        );
        const { lastRefusal } = await agent.port('p1');
        assert.equal(lastRefusal?.code, code);
        assert.match(lastRefusal.reason, reason);
        assert.equal(await station.held(vsiId(n)), '');
        assert.equal(await association(n), undefined);
      }
      const other = asked(10, [`100-${mac(10)}`], { typeVersion: 2 });
      assert.deepEqual(await station.request('associate', other), rejected('other failure'));
    },
  );

  await t.test('pre-associate, with resource reservation, associate, de-associate', async () => {
    const vsi = asked(12, [`100-${mac(12)}`]);
    for (const [mode, expected] of [
      ['pre-associate', 'pre-associated'],
      ['pre-associate-rr', 'pre-associated with resource reservation'],
      ['associate', 'associated'],
      ['de-associate', undefined],
    ] as const) {
      assert.deepEqual(await station.request(mode, vsi), granted, mode);
      assert.equal(await association(12), expected);
    }
  });

  await t.test('keep-alives keep what is held', async () => {
    const held = await agent.held('p1');
    const before = (await agent.port('p1')).counters.vdp.commandsSucceeded;
    const renewals = 2 * Object.keys(held).length;
    await until(
      'renewed twice each',
      async () => (await agent.port('p1')).counters.vdp.commandsSucceeded - before,
      (count) => count >= renewals,
    );
    assert.deepEqual(await agent.held('p1'), held);
  });

  await t.test('a link flap costs nothing', async () => {
    const held = await agent.held('p1');
    await wires.setUplink('p1', false);
    await until(
      'link down',
      () => agent.port('p1'),
      ({ link }) => link === 'down',
    );
    await wires.setUplink('p1', true);
    const before = (await agent.port('p1')).counters.vdp.commandsSucceeded;
    await until(
      'all asked for again',
      async () => (await agent.port('p1')).counters.vdp.commandsSucceeded - before,
      (count) => count >= Object.keys(held).length,
    );
    assert.deepEqual(await agent.held('p1'), held);
  });

  for (const signal of ['SIGKILL', 'SIGTERM'] as const)
    await t.test(`the agent ends by ${signal} and starts again: lldpad goes on renewing`, async () => {
      const held = await agent.held('p1');
      await agent.stop(signal);
      agent = await Agent.start(wires, book);
      await until(
        'renewed',
        async () => (await agent.port('p1')).counters.vdp.commandsSucceeded,
        (count) => count >= Object.keys(held).length,
      );
      assert.deepEqual(Object.keys(await agent.held('p1')).sort(), Object.keys(held).sort());
      assert.deepEqual(await station.request('associate', asked(13, [`100-${mac(13)}`])), granted);
      assert.deepEqual(await station.request('de-associate', asked(13, [`100-${mac(13)}`])), granted);
    });

  await t.test('a station that is silent loses what it has, and hears of it', async () => {
    process.kill(station.pid, 'SIGSTOP');
    try {
      await until(
        'the bridge lets go',
        () => agent.held('p1'),
        (held) => Object.keys(held).length === 0,
      );
    } finally {
      process.kill(station.pid, 'SIGCONT');
    }
    const vsi = asked(14, [`100-${mac(14)}`]);
    assert.deepEqual(
      await until(
        'granted',
        () => station.request('associate', vsi),
        ({ kind }) => kind === 'granted',
      ),
      granted,
    );
  });

  await t.test('a station that is restarted begins with sequence 1, and is heard', async () => {
    for (let i = 0; i < 3; i++) {
      await wires.stop(station);
      station = await wires.station('p1');
      assert.deepEqual(await station.request('associate', asked(15, [`100-${mac(15)}`])), granted);
    }
    assert.equal(await association(15), 'associated');
  });
});

test('a manager that cannot be reached is a refusal that says so', async () => {
  await using wires = await Wires.lay();
  const agent = await Agent.start(wires, { manager: `unix:${wires.directory}/nobody.sock` });
  const station = await wires.station('p1');
  const outcome = await station.request('associate', asked(1, [`100-${mac(1)}`]));
  assert.deepEqual(outcome, rejected('unable to contact VSI manager'));
  assert.match((await agent.port('p1')).lastRefusal?.reason ?? '', /nobody\.sock/);
});
