import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { Lldpad } from '../../src/bench/peers/lldpad.ts';
import type { FilterInfo } from '../../src/domain/filter-info.ts';
import { parseVid } from '../../src/domain/vid.ts';
import { decodeFrame, encodeFrame } from '../../src/protocol/ethernet.ts';
import { decodeLldpdu, encodeLldpdu } from '../../src/protocol/lldp/packet.ts';
import type { VdpErrorCode } from '../../src/protocol/vdp/association.ts';
import type { Verdict } from '../../src/protocol/vdp/bridge.ts';
import { rarp } from '../kit/relay/frames.ts';
import { deassociateFrame, lldpFrame } from '../kit/kernel/control-frames.ts';
import {
  Agent,
  asked,
  mac,
  quick,
  until,
  vsiId,
  Wires,
  type Book,
  type Request,
} from '../kit/kernel/lldpad-harness.ts';

const vlan = 100;
const sixty = Array.from({ length: 60 }, (_, i) => mac(0x2000 + i));
const granted = { kind: 'granted' } as const;
const rejected = (code: VdpErrorCode | null) => ({ kind: 'rejected', code }) as const;

/**
 * VSIs 1 to 39 have an address each, 40 has sixty, 41 that of VSI 2 in another VLAN, 42 two; the stations of 43 and 44 are
 * to tag.
 */
const book: Book = {
  profiles: [
    { managerId: 'mgr1', typeId: 17, vlan },
    { managerId: 'mgr1', typeId: 18, vlan, tagged: true },
    { managerId: 'mgr1', typeId: 19, vlan: 200 },
  ],
  vsis: [
    ...Array.from({ length: 39 }, (_, i) => ({
      vsiId: vsiId(i + 1),
      macs: [mac(i + 1)],
      profile: 'mgr1/17/1',
    })),
    { vsiId: vsiId(40), macs: sixty, profile: 'mgr1/17/1' },
    { vsiId: vsiId(41), macs: [mac(2)], profile: 'mgr1/19/1' },
    { vsiId: vsiId(42), macs: [mac(0x42), mac(0x43)], profile: 'mgr1/17/1' },
    { vsiId: vsiId(43), macs: [mac(0x44)], profile: 'mgr1/18/1' },
    { vsiId: vsiId(44), macs: [mac(0x45)], profile: 'mgr1/18/1' },
  ],
};

/** An LLDPDU with another time to live. */
function withTtl(frame: Uint8Array, ttl: number): Uint8Array {
  const decoded = decodeFrame(frame);
  assert.ok(decoded.ok);
  const lldpdu = decodeLldpdu(decoded.value.payload);
  assert.ok(lldpdu.ok);
  return encodeFrame({ ...decoded.value, payload: encodeLldpdu({ ...lldpdu.value, ttl }) });
}

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
    const { evb, neighbour } = await agent.port('p1');
    assert.deepEqual([evb.dialect, evb.reflectiveRelay, evb.groupIds], ['ratified', true, true]);
    assert.ok(neighbour);
  });

  await t.test(
    'what the database does not allow is refused with its code, and the reason is shown',
    async () => {
      const cases: [number, string[], VdpErrorCode, RegExp][] = [
        [10, ['200'], 'invalid VID, GroupID or MAC address', /asked for VLAN 200; its profile has 100/],
        [10, ['100', '200'], 'invalid VID, GroupID or MAC address', /asked for VLAN 100, 200/],
        [10, ['100--7', '100--8'], 'invalid VID, GroupID or MAC address', /groups 7, 8; it can be in one/],
        [10, [`100-${mac(11)}`], 'invalid VID, GroupID or MAC address', /is not VSI/],
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
      const untagged = asked(41, [`0-${mac(2)}`], { typeId: 19 });
      assert.deepEqual(await station.request('associate', untagged), rejected('insufficient resources'));
      assert.match((await agent.port('p1')).lastRefusal!.reason, /belongs to/);
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

  await t.test(
    'a VID left to the bridge is answered with that of the VLAN where the profile says so',
    async () => {
      for (const [n, filter, adopted] of [
        [43, `0-${mac(0x44)}`, `100-${mac(0x44)}`],
        [44, '0', '100'],
      ] as const) {
        const vsi = asked(n, [filter], { typeId: 18 });
        assert.deepEqual(await station.request('pre-associate', vsi), granted);
        assert.match(await station.held(vsi.vsiId), new RegExp(`filter = ${adopted}`), 'lldpad adopts it');
        const told = asked(n, [adopted], { typeId: 18 });
        assert.deepEqual(await station.request('associate', told), granted);
        const held = (await agent.port('p1')).vsis.find(({ vsiId }) => vsiId === vsi.vsiId);
        assert.deepEqual([held?.association, held?.filter.entries[0]?.vid], ['associated', vlan]);
      }
    },
  );

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

  for (const end of ['host', 'switch'] as const)
    await t.test(`a link flap costs nothing (interface down at the ${end}'s end)`, async () => {
      const held = await agent.held('p1');
      await wires.setLink('p1', end, false);
      await until(
        'link down',
        () => agent.port('p1'),
        ({ link }) => link === 'down',
      );
      await wires.setLink('p1', end, true);
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

  await t.test('a VM at the port that speaks LLDP and ECP is no station', async () => {
    const held = await agent.held('p1');
    const before = await agent.port('p1');
    const uplink = wires.hostEnd('p1');
    for (const source of [mac(1), mac(0x9999)]) {
      uplink.send(lldpFrame(source, 120));
      uplink.send(deassociateFrame(source, 3, 0x7777));
    }
    uplink.send(lldpFrame(mac(1), 0));
    const ignored = await until(
      'all is ignored',
      async () => (await agent.port('p1')).counters.ignored,
      (ignored) => (ignored['VSI address'] ?? 0) - (before.counters.ignored['VSI address'] ?? 0) === 3,
    );
    assert.equal(ignored.malformed, undefined);
    const newly = (reason: 'not the neighbour' | 'second speaker') =>
      (ignored[reason] ?? 0) - (before.counters.ignored[reason] ?? 0);
    assert.deepEqual([newly('not the neighbour'), newly('second speaker')], [1, 1]);
    const now = await agent.port('p1');
    assert.deepEqual([now.neighbour, now.evb], [before.neighbour, before.evb]);
    assert.deepEqual(await agent.held('p1'), held);
    // the same request from the station's own address would be taken
    uplink.send(deassociateFrame(before.neighbour!.mac, 3, 0x7777));
    await until(
      'VSI 3 is released',
      () => association(3),
      (held) => held === undefined,
    );
  });

  await t.test('an interface that is made anew is bound again, at both ends', async () => {
    const held = await agent.held('p1');
    await wires.unplug('p1');
    await until(
      'link down',
      () => agent.port('p1'),
      ({ link }) => link === 'down',
    );
    assert.deepEqual(await agent.held('p1'), held, 'a port that is gone loses nothing by that');
    await wires.plug('p1');
    await until(
      'EVB is negotiated again',
      () => agent.port('p1'),
      ({ link, evb }) => link === 'up' && evb.negotiated,
    );
    const vsi = asked(16, [`0-${mac(16)}`]);
    const grantedAgain = await until(
      'lldpad asks again',
      () => station.request('associate', vsi),
      ({ kind }) => kind === 'granted',
    );
    assert.deepEqual(grantedAgain, granted);
    const framesIn = async () => (await agent.shown('p1')).frames.in;
    const first = await framesIn();
    wires.hostEnd('p1').send(rarp(mac(16)));
    await until('the data plane takes frames again', framesIn, (frames) => frames > first);
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
    await until(
      'lldpad hears of it',
      () => station.held(vsiId(1)),
      (text) => text === '',
    );
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

  await t.test(
    'LLDP with TTL 0 ends the neighbour, and leaves what it has until its keep-alive is due',
    async () => {
      await wires.stop(station);
      await until(
        'no neighbour',
        async () => (await agent.port('p1')).neighbour,
        (neighbour) => neighbour === null,
      );
      assert.equal(await association(15), 'associated');
      assert.equal((await agent.port('p1')).evb.negotiated, false);
      await until(
        'released',
        () => association(15),
        (held) => held === undefined,
      );
      assert.deepEqual(agent.story(vsiId(15)).at(-1), 'released at p1: keep-alive expired');
    },
  );

  await t.test('a station that is killed is forgotten when its LLDP is out of date', async () => {
    let heard: Uint8Array | undefined;
    wires.switchEnd('p1').listen(
      (frame) => {
        if (frame[12] === 0x88 && frame[13] === 0xcc) heard ??= frame.slice();
      },
      (error) => {
        throw error;
      },
    );
    station = await wires.station('p1');
    assert.deepEqual(await station.request('associate', asked(15, [`100-${mac(15)}`])), granted);
    await wires.stop(station, 'SIGKILL');
    assert.ok(heard);
    wires.hostEnd('p1').send(withTtl(heard, 1)); // lldpad's own is 120 s
    await until(
      'no neighbour',
      async () => (await agent.port('p1')).neighbour,
      (neighbour) => neighbour === null,
    );
    assert.equal(await association(15), 'associated', 'its VMs go on');
    await until(
      'released',
      () => association(15),
      (held) => held === undefined,
    );
    assert.deepEqual(agent.story(vsiId(15)).at(-1), 'released at p1: keep-alive expired');
  });
});

test('ten keep-alives in a row', async () => {
  await using wires = await Wires.lay();
  const timers = { ...quick, rka: 16 };
  const agent = await Agent.start(wires, book, timers);
  const station = await wires.station('p1', { timers });
  assert.deepEqual(await station.request('associate', asked(1, [`100-${mac(1)}`])), granted);
  const renewed = async () => (await agent.port('p1')).counters.vdp.commandsSucceeded - 1;
  await until('renewed', renewed, (count) => count >= 10);
  assert.deepEqual(agent.story(vsiId(1)), ['associate at p1: granted']);
  await wires.stop(station, 'SIGKILL');
  await until(
    'released',
    () => agent.held('p1'),
    (held) => Object.keys(held).length === 0,
  );
  assert.equal(agent.story(vsiId(1)).at(-1), 'released at p1: keep-alive expired');
});

test('what a killed lldpad leaves behind is held, and is kept alive again by the next one', async () => {
  await using wires = await Wires.lay();
  const timers = { ...quick, rka: 16 };
  const agent = await Agent.start(wires, { ...book, ports: { p1: { kind: 'station' } } }, timers);
  const station = await wires.station('p1', { timers });
  assert.deepEqual(await station.request('associate', asked(1, [`100-${mac(1)}`])), granted);
  // the next one begins with the first one's numbers, and must not be taken for it
  const answered = async () => (await agent.port('p1')).counters.vdp.commandsSucceeded;
  await until('several keep-alives', answered, (count) => count >= 3);
  await wires.stop(station, 'SIGKILL');
  const isHeld = async () => (await agent.port('p1')).vsis[0]?.held != null;
  await until('held', isHeld, (held) => held);
  const next = await wires.station('p1', { timers });
  assert.equal((await agent.held('p1'))[vsiId(1)], 'associated');
  assert.deepEqual(await next.request('associate', asked(1, [`100-${mac(1)}`])), granted);
  await until('kept alive', isHeld, (held) => !held);
  // it was never gone
  assert.deepEqual(
    agent.story(vsiId(1)).filter((told) => /granted|released/.test(told)),
    ['associate at p1: granted'],
  );
});

test('a manager that cannot be reached is a refusal that says so', async () => {
  await using wires = await Wires.lay();
  const agent = await Agent.start(wires, { manager: `unix:${wires.directory}/nobody.sock` });
  const station = await wires.station('p1');
  const outcome = await station.request('associate', asked(1, [`100-${mac(1)}`]));
  assert.deepEqual(outcome, rejected('unable to contact VSI manager'));
  assert.match((await agent.port('p1')).lastRefusal?.reason ?? '', /nobody\.sock/);
});
