import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseMac } from '../../../src/domain/mac-address.ts';
import { parseManagerId } from '../../../src/domain/manager-id.ts';
import type { BridgePort, BridgePortOptions, BridgePortOutput } from '../../../src/protocol/bridge-port.ts';
import type { VsiId } from '../../../src/domain/vsi-id.ts';
import { vdpSubtype } from '../../../src/protocol/ecp/ratified.ts';
import { timingOf } from '../../../src/protocol/evb/timers.ts';
import type { VdpErrorCode } from '../../../src/protocol/vdp/association.ts';
import { bridgePort, evb, filled, pass, stationMac, vmMac, vsi, vsiId } from '../../kit/protocol/fixtures.ts';
import { asked, freshStationEvb, Peer, sent, stationEvb, told, type Seen } from '../../kit/protocol/peer.ts';

const station = new Peer(stationMac);
const accept = { kind: 'accept' } as const;

/** A port whose station is known, and nothing left to say by LLDP for a while. */
function connected(options: Partial<BridgePortOptions> = {}): BridgePort {
  const bridge = bridgePort(options);
  bridge.linkUp(0);
  bridge.receive(station.lldp(stationEvb), 0);
  for (let now = 1_000; now <= 9_000; now += 1_000) bridge.tick(now);
  bridge.receive(station.lldp(stationEvb), 9_500);
  return bridge;
}

function tokenIn(outputs: readonly BridgePortOutput[]): number {
  const request = outputs.find((output) => output.kind === 'request');
  assert.ok(request?.kind === 'request', 'a request was expected');
  return request.token;
}

/** Associates VM n at `now` with ECP sequence `seq` of the station; `ours` is the bridge's own. */
function associate(bridge: BridgePort, n: number, seq: number, now: number): void {
  const token = tokenIn(bridge.receive(station.ecp(seq, [asked('associate', vsi(n))]), now));
  const [answer] = sent(bridge.answer(token, accept, now));
  assert.ok(answer && 'seq' in answer);
  bridge.receive(station.ack(answer.seq), now);
}

function vsisIn({ tlvs }: Extract<Seen, { seq: number }>): VsiId[] {
  return tlvs.flatMap((tlv) => ('vsiId' in tlv ? [tlv.vsiId] : []));
}

function isVdp(output: BridgePortOutput): boolean {
  return sent([output]).some((frame) => 'seq' in frame);
}

test('reflective relay is on when the station requests it and the bridge is capable', () => {
  for (const [capable, requested] of [
    [true, true],
    [true, false],
    [false, true],
    [false, false],
  ] as const) {
    const bridge = bridgePort({ evb: { ...evb, reflectiveRelay: capable } });
    bridge.linkUp(0);
    const outputs = bridge.receive(
      station.lldp({ ...freshStationEvb, station: { sgid: false, rrreq: requested, rrstat: 3 } }),
      1,
    );
    const [answer] = sent(outputs);
    assert.ok(answer && 'lldp' in answer);
    assert.deepEqual(answer.lldp.evb?.bridge, { bgid: false, rrcap: capable, rrctr: capable && requested });
    assert.deepEqual(answer.lldp.evb?.station, { sgid: false, rrreq: requested, rrstat: 3 }, 'the echo');
    assert.equal(bridge.state().evb.reflectiveRelay, capable && requested);
  }
});

test('the larger of both exponents rules, and is what is sent', () => {
  const bridge = bridgePort({ evb: { ...evb, timers: { retries: 2, rte: 9, rwd: 18, rka: 20 } } });
  bridge.linkUp(0);
  const [answer] = sent(bridge.receive(station.lldp({ ...freshStationEvb, rka: 22 }), 1));
  assert.ok(answer && 'lldp' in answer && answer.lldp.evb);
  const { retries, rte, rwd, rwdRemote, rka, rkaRemote } = answer.lldp.evb;
  assert.deepEqual(
    { retries, rte, rwd, rwdRemote, rka, rkaRemote },
    { retries: 3, rte: 9, rwd: 18, rwdRemote: false, rka: 22, rkaRemote: true },
  );
  assert.equal(bridge.state().timers.keepAlive, 41943.04);
});

test('reflective relay goes off at once when the station does not want it any more', () => {
  const bridge = connected();
  const outputs = told(
    bridge.receive(
      station.lldp({ ...stationEvb, station: { sgid: false, rrreq: false, rrstat: 1 } }),
      10_000,
    ),
  );
  assert.deepEqual(
    outputs.map((output) => output.kind === 'evb' && output.reflectiveRelay),
    [false],
  );
});

test('LLDP: at link up, at every change, three more a second apart, then every 30 s', () => {
  const bridge = bridgePort();
  assert.equal(sent(bridge.linkUp(0)).length, 1);
  assert.equal(sent(bridge.receive(station.lldp(freshStationEvb), 0)).length, 1, 'the echo is news');
  assert.equal(sent(bridge.receive(station.lldp(freshStationEvb), 0)).length, 0, 'a repeat is none');
  const at = pass(bridge, 0, 100_000)
    .filter(({ output }) => output.kind === 'send')
    .map(({ at }) => at);
  assert.deepEqual(at, [1_000, 2_000, 3_000, 33_000, 63_000, 93_000]);
});

test('however often the station changes its mind, five LLDPDUs at once are the most', () => {
  const bridge = bridgePort();
  let count = sent(bridge.linkUp(0)).length;
  for (let i = 0; i < 50; i++)
    count += sent(
      bridge.receive(station.lldp({ ...freshStationEvb, rka: 16 + (i % 2), rwd: i % 16 }), 1),
    ).length;
  assert.equal(count, 5);
});

test('shutdown says so: TTL 0, and nothing after it', () => {
  const bridge = connected();
  const [last, ...more] = sent(bridge.shutdown(10_000));
  assert.deepEqual(last, { lldp: { ttl: 0, evb: null } });
  assert.equal(more.length, 0);
  assert.equal(bridge.deadline(), null);
});

test('a station is forgotten when its TTL is over, and when it says good-bye', () => {
  const aged = connected();
  const gone = pass(aged, 9_500, 200_000).find(({ output }) => output.kind === 'neighbour');
  assert.deepEqual(gone, { at: 130_500, output: { kind: 'neighbour', neighbour: null } });
  const left = connected();
  const kinds = told(left.receive(station.lldp(null, 0), 10_000)).map(({ kind }) => kind);
  assert.deepEqual(kinds, ['neighbour', 'evb']);
  assert.equal(left.state().evb.reflectiveRelay, false);
});

test('an answer given at once leaves at once, after the acknowledgement', () => {
  const bridge = connected();
  const description = vsi(1, 0);
  const outputs = bridge.receive(station.ecp(7, [asked('associate', description)]), 10_000);
  assert.deepEqual(
    outputs.map(({ kind }) => kind),
    ['send', 'request'],
  );
  assert.deepEqual(sent(outputs), [{ ack: 7 }]);
  const filter = filled(description.filter, 42);
  assert.deepEqual(sent(bridge.answer(tokenIn(outputs), { kind: 'accept', filter }, 10_000)), [
    {
      seq: 1,
      tlvs: [
        {
          kind: 'answer',
          mode: 'associate',
          vsiId: vsiId(1),
          profile: description.profile,
          filter,
          refusal: null,
        },
      ],
    },
  ]);
  assert.deepEqual(bridge.state().vsis, [
    {
      vsiId: vsiId(1),
      association: 'associated',
      profile: description.profile,
      filter,
      since: 10_000,
      heldSince: null,
    },
  ]);
});

test('every error code, KEEP and HARD reach the station; KEEP only if something is kept', () => {
  const codes: VdpErrorCode[] = [
    'invalid format',
    'insufficient resources',
    'unable to contact VSI manager',
    'other failure',
    'invalid VID, GroupID or MAC address',
  ];
  for (const code of codes) {
    const bridge = connected();
    const fresh = tokenIn(bridge.receive(station.ecp(1, [asked('pre-associate', vsi(1))]), 10_000));
    const [first] = sent(
      bridge.answer(fresh, { kind: 'refuse', code, keep: true, hard: true, reason: 'no' }, 10_000),
    );
    assert.ok(first && 'seq' in first && first.tlvs[0]?.kind === 'answer');
    assert.deepEqual(first.tlvs[0].refusal, { code, keep: false, hard: true });
    bridge.receive(station.ack(first.seq), 10_000);

    const again = tokenIn(bridge.receive(station.ecp(2, [asked('pre-associate', vsi(1))]), 10_100));
    bridge.receive(station.ack(sentSequence(bridge.answer(again, accept, 10_100))), 10_100);
    const upgrade = tokenIn(bridge.receive(station.ecp(3, [asked('associate', vsi(1))]), 10_200));
    const [second] = sent(
      bridge.answer(upgrade, { kind: 'refuse', code, keep: true, reason: 'not now' }, 10_200),
    );
    assert.ok(second && 'seq' in second && second.tlvs[0]?.kind === 'answer');
    assert.deepEqual(second.tlvs[0].refusal, { code, keep: true, hard: false });
    assert.equal(bridge.state().vsis[0]?.association, 'pre-associated');
    const lastRefusal = { vsiId: vsiId(1), mode: 'associate', code, reason: 'not now', at: 10_200 };
    assert.deepEqual(bridge.state().lastRefusal, lastRefusal);
    assert.deepEqual(bridge.state().counters.vdp, {
      commandsSucceeded: 1,
      commandsFailed: 2,
      commandReverts: 1,
    });
  }
});

function sentSequence(outputs: readonly BridgePortOutput[]): number {
  const [frame] = sent(outputs);
  assert.ok(frame && 'seq' in frame);
  return frame.seq;
}

test('a refusal without KEEP takes away what was held', () => {
  const bridge = connected();
  associate(bridge, 1, 1, 10_000);
  const token = tokenIn(bridge.receive(station.ecp(2, [asked('pre-associate', vsi(1))]), 10_100));
  const outputs = bridge.answer(token, { kind: 'refuse', code: 'other failure', reason: 'no' }, 10_100);
  assert.deepEqual(told(outputs), [{ kind: 'released', vsiId: vsiId(1), reason: 'refused' }]);
  assert.deepEqual(bridge.state().vsis, []);
});

test('a keep-alive is a renewal, answered by the machine; with VID 0 as well as with the VID that was chosen', () => {
  const bridge = connected();
  const token = tokenIn(bridge.receive(station.ecp(1, [asked('associate', vsi(1, 0))]), 10_000));
  const granted = filled(vsi(1, 0).filter, 42);
  bridge.receive(
    station.ack(sentSequence(bridge.answer(token, { kind: 'accept', filter: granted }, 10_000))),
    10_000,
  );
  for (const [seq, vid] of [
    [2, 0],
    [3, 42],
  ] as const) {
    const outputs = bridge.receive(station.ecp(seq, [asked('associate', vsi(1, vid))]), 10_000 + seq * 100);
    assert.deepEqual(told(outputs), [{ kind: 'renewed', vsiId: vsiId(1) }]);
    const [ack, answer] = sent(outputs);
    assert.deepEqual(ack, { ack: seq });
    assert.ok(answer && 'seq' in answer && answer.tlvs[0]?.kind === 'answer');
    assert.deepEqual(answer.tlvs[0].filter, granted);
    bridge.receive(station.ack(answer.seq), 10_000 + seq * 100);
  }
  const other = bridge.receive(station.ecp(4, [asked('associate', vsi(1, 43))]), 11_000);
  assert.equal(told(other)[0]?.kind, 'request', 'another VID is another request');
});

test('a change of the S hint within an association is told; what it began with, and its repeats, are not', () => {
  const hinted = (suspended: boolean) =>
    asked('associate', { ...vsi(1), hints: { migrating: false, suspended } });
  const edges = (bridge: BridgePort, first: number, ...hints: boolean[]) =>
    hints.flatMap((suspended, i) =>
      bridge
        .receive(station.ecp(first + i, [hinted(suspended)]), 10_100 + 100 * (first + i))
        .flatMap((output) => (output.kind === 'suspended' ? [`${i} ${output.suspended}`] : [])),
    );
  for (const begins of [false, true]) {
    const bridge = connected();
    bridge.answer(
      tokenIn(bridge.receive(station.ecp(1, [hinted(begins)]), 10_000)),
      { kind: 'accept' },
      10_000,
    );
    assert.deepEqual(edges(bridge, 2, begins, !begins, !begins, begins), [`1 ${!begins}`, `3 ${begins}`]);
    // another one begins
    bridge.receive(station.ecp(6, [asked('de-associate', vsi(1))]), 11_000);
    bridge.answer(
      tokenIn(bridge.receive(station.ecp(7, [hinted(true)]), 11_000)),
      { kind: 'accept' },
      11_000,
    );
    assert.deepEqual(edges(bridge, 8, true, true), []);
  }
  // of what is adopted, the first word is news only where it is known what was said before
  for (const [suspended, told] of [
    [undefined, []],
    [true, ['0 false']],
  ] as const) {
    const bridge = connected();
    bridge.adopt([{ ...vsi(1), association: 'associated', ...(suspended && { suspended }) }], 10_000);
    assert.deepEqual(edges(bridge, 2, false), told);
  }
});

test('an association that nobody renews ends after the supervision time, and the station is told', () => {
  const bridge = connected();
  associate(bridge, 1, 1, 10_000);
  const { keepAliveSupervision } = bridge.state().timers;
  const seen = pass(bridge, 10_000, 10_000 + keepAliveSupervision);
  assert.deepEqual(
    seen.map(({ at }) => at),
    [10_000 + keepAliveSupervision, 10_000 + keepAliveSupervision],
  );
  const outputs = seen.map(({ output }) => output);
  assert.deepEqual(told(outputs), [{ kind: 'released', vsiId: vsiId(1), reason: 'keep-alive expired' }]);
  const [frame] = sent(outputs);
  assert.ok(frame && 'seq' in frame);
  assert.equal(frame.tlvs[0]?.kind, 'request', 'a de-associate of its own has no ACK bit');
});

test('a slow answer does not count against the station', () => {
  const bridge = connected();
  associate(bridge, 1, 1, 10_000);
  bridge.receive(station.ecp(2, [asked('pre-associate', vsi(1))]), 10_600);
  // Refused, with the association kept, at 10,600 + 655.36; the station's next keep-alive comes 655.36 after that.
  const seen = pass(bridge, 10_600, 11_900).filter(({ output }) => output.kind === 'released');
  assert.deepEqual(seen, []);
  assert.equal(bridge.state().vsis[0]?.association, 'associated');
});

test('an agent that does not answer in time has refused: the manager is out of reach', () => {
  const bridge = connected();
  const token = tokenIn(bridge.receive(station.ecp(1, [asked('associate', vsi(1))]), 10_000));
  const seen = pass(bridge, 10_000, 10_655.36).map(({ output }) => output);
  assert.deepEqual(told(seen), [{ kind: 'released', vsiId: vsiId(1), reason: 'resource wait expired' }]);
  const [frame] = sent(seen);
  assert.ok(frame && 'seq' in frame && frame.tlvs[0]?.kind === 'answer');
  assert.equal(frame.tlvs[0].refusal?.code, 'unable to contact VSI manager');
  assert.equal(bridge.state().lastRefusal?.reason, 'there was no decision in time');
  assert.equal(bridge.awaits(token), false);
  assert.deepEqual(told(bridge.answer(token, accept, 10_700)), [{ kind: 'late answer', token }]);
  assert.deepEqual(bridge.state().vsis, []);
});

test('the latest request for a VSI counts; its repeat is no second one', () => {
  const bridge = connected();
  const first = tokenIn(bridge.receive(station.ecp(1, [asked('pre-associate', vsi(1))]), 10_000));
  assert.deepEqual(told(bridge.receive(station.ecp(2, [asked('pre-associate', vsi(1))]), 10_010)), []);
  const second = tokenIn(bridge.receive(station.ecp(3, [asked('associate', vsi(1))]), 10_020));
  assert.deepEqual([bridge.awaits(first), bridge.awaits(second)], [false, true]);
  bridge.answer(second, accept, 10_030);
  assert.equal(bridge.state().vsis[0]?.association, 'associated');
});

test('a de-associate is granted always, and told where something was held or pending', () => {
  const bridge = connected();
  associate(bridge, 1, 1, 10_000);
  const held = bridge.receive(station.ecp(2, [asked('de-associate', vsi(1))]), 10_100);
  assert.deepEqual(told(held), [{ kind: 'released', vsiId: vsiId(1), reason: 'requested' }]);
  bridge.receive(station.ack(sentSequence(held.slice(1))), 10_100);
  const unknown = bridge.receive(station.ecp(3, [asked('de-associate', vsi(1))]), 10_200);
  assert.deepEqual(told(unknown), []);
  const [, answer] = sent(unknown);
  assert.ok(answer && 'seq' in answer && answer.tlvs[0]?.kind === 'answer');
  assert.equal(answer.tlvs[0].refusal, null);
});

test("a keep-alive that crosses the bridge's own de-associate does not bring the VSI back", () => {
  const bridge = connected();
  associate(bridge, 1, 1, 10_000);
  const leave = bridge.deassociate(vsiId(1), 10_100);
  assert.deepEqual(told(leave), [{ kind: 'released', vsiId: vsiId(1), reason: 'by the bridge' }]);
  const crossing = bridge.receive(station.ecp(2, [asked('associate', vsi(1))]), 10_100.5);
  assert.deepEqual(told(crossing), []);
  bridge.receive(station.ack(sentSequence(leave)), 10_101);
  const later = bridge.receive(station.ecp(3, [asked('associate', vsi(1))]), 10_200);
  assert.equal(told(later)[0]?.kind, 'request', 'once the station knows, it may ask again');
});

test('what the data plane holds is adopted in silence, renewed by keep-alives and supervised', () => {
  const bridge = bridgePort();
  const { profile, filter } = vsi(1);
  bridge.adopt([{ vsiId: vsiId(1), association: 'associated', profile, filter }], 0);
  bridge.linkUp(0);
  bridge.receive(station.lldp(stationEvb), 10);
  const renewed = told(bridge.receive(station.ecp(9, [asked('associate', vsi(1))]), 500));
  assert.deepEqual(renewed, [{ kind: 'renewed', vsiId: vsiId(1) }]);
  const released = pass(bridge, 500, 5_000).filter(({ output }) => output.kind === 'released');
  assert.deepEqual(
    released.map(({ at }) => at),
    [500 + bridge.state().timers.keepAliveSupervision],
  );
});

test('what is adopted waits for its station to be heard, as long as an LLDPDU is good for', () => {
  const { profile, filter } = vsi(1);
  const restarted = () => {
    const bridge = bridgePort();
    bridge.adopt([{ vsiId: vsiId(1), association: 'associated', profile, filter }], 0);
    bridge.linkUp(0);
    return bridge;
  };
  const releases = (bridge: BridgePort, from: number, to: number) =>
    pass(bridge, from, to).flatMap(({ at, output }) => (output.kind === 'released' ? [at] : []));
  assert.deepEqual(releases(restarted(), 0, 200_000), [121_000], 'nobody is there');

  const late = restarted();
  const { keepAliveSupervision } = late.state().timers;
  assert.deepEqual(
    releases(late, 0, 30_000),
    [],
    'the station did not notice, and speaks when it does anyway',
  );
  late.receive(station.lldp(stationEvb), 30_000);
  assert.deepEqual(releases(late, 30_000, 200_000), [30_000 + keepAliveSupervision]);

  const flapped = restarted();
  flapped.linkDown(50_000);
  assert.deepEqual(releases(flapped, 50_000, 50_001), [50_000], 'without a link nobody is waited for');
});

test('what is adopted while the station asks for it is held at once, and the station is answered', () => {
  const { profile, filter } = vsi(1);
  const asking = () => {
    const bridge = connected();
    const token = tokenIn(bridge.receive(station.ecp(1, [asked('associate', vsi(1))]), 10_000));
    bridge.adopt([{ vsiId: vsiId(1), association: 'associated', profile, filter }], 10_001);
    assert.equal(bridge.state().vsis.length, 1);
    return { bridge, token };
  };
  const decided = asking();
  const [answer] = sent(decided.bridge.answer(decided.token, accept, 10_100));
  assert.ok(answer && 'seq' in answer && answer.tlvs[0]?.kind === 'answer');
  assert.equal(answer.tlvs[0].refusal, null);

  const { bridge } = asking();
  const seen = pass(bridge, 10_001, 10_656).map(({ output }) => output);
  assert.deepEqual(told(seen), [], 'without a decision it is refused, and what is held stays');
  assert.equal(bridge.state().lastRefusal?.reason, 'there was no decision in time');
  assert.deepEqual([bridge.state().pending, bridge.state().vsis.length], [0, 1]);
});

test('a short link flap costs nothing', () => {
  const bridge = connected();
  associate(bridge, 1, 1, 10_000);
  bridge.linkDown(10_100);
  bridge.linkUp(10_200);
  assert.deepEqual(
    told(bridge.receive(station.lldp(freshStationEvb), 10_200)).map(({ kind }) => kind),
    ['neighbour', 'evb'],
  );
  assert.equal(bridge.state().vsis.length, 1);
});

test('a station that was restarted may begin with the sequence number it used last', () => {
  for (const restart of [
    (bridge: BridgePort) => bridge.receive(station.lldp(null, 0), 10_050),
    (bridge: BridgePort) => bridge.receive(station.lldp(freshStationEvb), 10_050),
    (bridge: BridgePort) => [bridge.linkDown(10_050), bridge.linkUp(10_051)],
  ]) {
    const bridge = connected();
    associate(bridge, 1, 1, 10_000);
    restart(bridge);
    bridge.receive(station.lldp(freshStationEvb), 10_060);
    const outputs = told(bridge.receive(station.ecp(1, [asked('associate', vsi(1))]), 10_070));
    assert.deepEqual(outputs, [{ kind: 'renewed', vsiId: vsiId(1) }]);
  }
});

test('… also where the bridge has neither reflective relay nor GroupIDs, and its echo is nothing at all times', () => {
  const bridge = connected({ evb: { ...evb, reflectiveRelay: false } });
  const nothing = { bgid: false, rrcap: false, rrctr: false };
  const knows = { ...stationEvb, bridge: nothing, station: { sgid: false, rrreq: true, rrstat: 0 } };
  bridge.receive(station.lldp(knows), 9_600);
  associate(bridge, 1, 1, 10_000);
  bridge.receive(station.lldp(freshStationEvb), 10_050);
  bridge.receive(station.lldp(knows), 10_060);
  const outputs = told(bridge.receive(station.ecp(1, [asked('associate', vsi(1))]), 10_070));
  assert.deepEqual(outputs, [{ kind: 'renewed', vsiId: vsiId(1) }]);
});

test('a repeat is acknowledged again and not delivered, also one that the network kept back', () => {
  const bridge = connected();
  associate(bridge, 1, 1, 10_000);
  associate(bridge, 2, 2, 10_010);
  for (const seq of [2, 1]) {
    const outputs = bridge.receive(station.ecp(seq, [asked('de-associate', vsi(seq))]), 10_020);
    assert.deepEqual([sent(outputs), told(outputs)], [[{ ack: seq }], []]);
  }
  assert.equal(bridge.state().counters.ecp.rxRepeatCount, 2);
});

test('what is not acknowledged is sent again R times, each after the acknowledgement time', () => {
  const bridge = connected();
  const token = tokenIn(bridge.receive(station.ecp(1, [asked('associate', vsi(1))]), 10_000));
  assert.equal(sent(bridge.answer(token, accept, 10_000)).length, 1);
  const repeats = pass(bridge, 10_000, 10_010);
  const wait = bridge.state().timers.acknowledgement;
  assert.deepEqual(
    repeats.map(({ at }) => Number(at.toFixed(3))),
    [1, 2, 3].map((n) => Number((10_000 + n * wait).toFixed(3))),
  );
  const sequences = repeats.map(({ output }) => sentSequence([output]));
  assert.deepEqual(new Set(sequences).size, 1);
});

test('what no ECPDU got across is sent on, as ten of them, unless it is old by then', () => {
  const bridge = connected();
  const associated = tokenIn(bridge.receive(station.ecp(1, [asked('associate', vsi(1))]), 10_000));
  bridge.answer(associated, accept, 10_000);
  const again = pass(bridge, 10_000, 10_400).map(({ output }) => output);
  assert.equal(new Set(again.map((output) => sentSequence([output]))).size, 1);
  const { txFrameCount, txRetryCount, txFailures } = bridge.state().counters.ecp;
  assert.deepEqual([txFrameCount, txRetryCount, txFailures], [10, 30, 10]);

  const first = bridge.receive(station.ecp(2, [asked('associate', vsi(1))]), 10_500);
  assert.equal(sentSequence(first.slice(1)), 2, 'the answer to a keep-alive, which is lost');
  bridge.receive(station.ecp(3, [asked('de-associate', vsi(1))]), 10_501);
  const next = pass(bridge, 10_501, 10_511.5).map(({ output }) => sent([output])[0]);
  const last = next.at(-1);
  assert.ok(last && 'seq' in last && last.seq === 3);
  assert.deepEqual(
    last.tlvs.map((tlv) => tlv.kind === 'answer' && tlv.mode),
    ['de-associate'],
  );
});

test('when the station is met again, what it holds is confirmed: a keep-alive may have been lost', () => {
  const bridge = bridgePort();
  const { profile, filter } = vsi(1);
  bridge.adopt([{ vsiId: vsiId(1), association: 'associated', profile, filter }], 0);
  bridge.linkUp(0);
  const frames = sent(bridge.receive(station.lldp(stationEvb), 10)).filter((frame) => 'seq' in frame);
  assert.deepEqual(
    frames.flatMap(({ tlvs }) => tlvs),
    [{ kind: 'answer', mode: 'associate', vsiId: vsiId(1), profile, filter, refusal: null }],
  );
});

test('from an acknowledgement to the next ECPDU are 3 ms, and what waits meanwhile goes in one', () => {
  const bridge = connected();
  const requests = [1, 2, 3, 4].map((n) => asked('associate', vsi(n)));
  const outputs = bridge.receive(station.ecp(1, requests), 10_000);
  const tokens = outputs.flatMap((output) => (output.kind === 'request' ? [output.token] : []));
  assert.equal(tokens.length, 4);
  const frames = tokens.flatMap((token) => sent(bridge.answer(token, accept, 10_000)));
  assert.equal(frames.length, 1, 'one is on its way, three wait');
  assert.deepEqual(sent(bridge.receive(station.ack(1), 10_002)), [], 'acknowledged, but too soon');
  const next = pass(bridge, 10_002, 10_006);
  assert.deepEqual(
    next.map(({ at }) => at),
    [10_005],
  );
  const [gathered] = sent(next.map(({ output }) => output));
  assert.ok(gathered && 'seq' in gathered);
  assert.deepEqual(
    vsisIn(gathered),
    [vsiId(2), vsiId(3), vsiId(4), vsiId(1)],
    'the first one may have been overwritten by these',
  );
  bridge.receive(station.ack(2), 10_006);
  assert.deepEqual(
    sent(pass(bridge, 10_006, 11_000).map(({ output }) => output)),
    [],
    'nothing overwrites them',
  );
});

test('what nobody acknowledges keeps its number as long as it is the same, so that it is taken once', () => {
  const bridge = connected();
  const first = tokenIn(bridge.receive(station.ecp(1, [asked('associate', vsi(1))]), 10_000));
  const [answer] = sent(bridge.answer(first, accept, 10_000));
  assert.ok(answer && 'seq' in answer);
  const more = sent(pass(bridge, 10_000, 10_018).map(({ output }) => output));
  assert.ok(more.length > 3, 'it was given up once');
  assert.deepEqual(more, Array(more.length).fill(answer));
  const second = tokenIn(bridge.receive(station.ecp(2, [asked('associate', vsi(2))]), 10_018));
  bridge.answer(second, accept, 10_018);
  const both = sent(pass(bridge, 10_018, 10_040).map(({ output }) => output)).at(-1);
  assert.ok(both && 'seq' in both);
  assert.deepEqual([both.seq, both.tlvs.length], [answer.seq + 1, 2]);
});

test('what was acknowledged is said again with what follows soon, once', () => {
  const bridge = connected();
  const answered = (seq: number, n: number, now: number): VsiId[] => {
    const token = tokenIn(bridge.receive(station.ecp(seq, [asked('associate', vsi(n))]), now));
    const [answer] = sent(bridge.answer(token, accept, now));
    assert.ok(answer && 'seq' in answer);
    bridge.receive(station.ack(answer.seq), now);
    return vsisIn(answer);
  };
  assert.deepEqual(answered(1, 1, 10_000), [vsiId(1)]);
  assert.deepEqual(answered(2, 2, 10_100), [vsiId(2), vsiId(1)]);
  assert.deepEqual(answered(3, 3, 10_200), [vsiId(3), vsiId(2)]);
  assert.deepEqual(answered(4, 4, 10_700), [vsiId(4)], 'half a second later it is read');
});

test('what was acknowledged is not said again when the station asks for something else of that VSI', () => {
  const bridge = connected();
  associate(bridge, 1, 1, 10_000);
  const again = bridge.receive(station.ecp(2, [asked('pre-associate', vsi(1))]), 10_010);
  assert.ok(tokenIn(again), 'the decision is pending');
  const token = tokenIn(bridge.receive(station.ecp(3, [asked('associate', vsi(2))]), 10_020));
  const [answer] = sent(bridge.answer(token, accept, 10_020));
  assert.ok(answer && 'seq' in answer);
  assert.deepEqual(vsisIn(answer), [vsiId(2)]);
});

test("the bridge's own de-associate is not said again to a station that asks for the VSI anew", () => {
  const bridge = connected();
  associate(bridge, 1, 1, 10_000);
  bridge.receive(station.ack(sentSequence(bridge.deassociate(vsiId(1), 10_100))), 10_101);
  const token = tokenIn(bridge.receive(station.ecp(2, [asked('associate', vsi(1))]), 10_150));
  const [answer] = sent(bridge.answer(token, accept, 10_150));
  assert.ok(answer && 'seq' in answer);
  assert.deepEqual(
    answer.tlvs.map(({ kind }) => kind),
    ['answer'],
  );
});

test('of several VSI managers each has an ECPDU of its own, and what one may have overwritten follows', () => {
  const bridge = connected();
  associate(bridge, 1, 1, 10_000);
  const request = [asked('associate', vsi(2))];
  const token = tokenIn(bridge.receive(station.ecp(2, request, vdpSubtype, parseManagerId('dc2')), 10_010));
  const [first] = sent(bridge.answer(token, accept, 10_010));
  assert.ok(first && 'seq' in first);
  assert.deepEqual(vsisIn(first), [vsiId(2)]);
  bridge.receive(station.ack(first.seq), 10_011);
  const seen: VsiId[][] = [];
  for (let now = 10_011; now < 10_100; now++)
    for (const frame of sent(bridge.tick(now)))
      if ('seq' in frame) {
        seen.push(vsisIn(frame));
        bridge.receive(station.ack(frame.seq), now);
      }
  assert.deepEqual(seen, [[vsiId(1)], [vsiId(2)]]);
});

test('nobody but the station is listened to', () => {
  const bridge = connected({ isVsiAddress: (mac) => mac === vmMac(1) });
  const vm = new Peer(vmMac(1));
  const stranger = new Peer(vmMac(2));
  const request = [asked('associate', vsi(1))];
  const ignored = (frame: Uint8Array) =>
    told(bridge.receive(frame, 10_000)).map((output) =>
      output.kind === 'ignored' ? output.reason : output.kind,
    );
  assert.deepEqual(ignored(vm.ecp(1, request)), ['VSI address']);
  assert.deepEqual(ignored(stranger.ecp(1, request)), ['not the neighbour']);
  assert.deepEqual(ignored(stranger.lldp(null)), [], 'counted, and reported once per second');
  assert.deepEqual(ignored(stranger.lldp(null, 0)), []);
  assert.deepEqual(bridge.state().counters.ignored, { 'VSI address': 1, 'not the neighbour': 3 });
  assert.equal(bridge.state().neighbour?.mac, stationMac);
});

test('without LLDP there is no station, and another bridge is none', () => {
  const bridge = bridgePort();
  bridge.linkUp(0);
  assert.deepEqual(sent(bridge.receive(station.ecp(1, [asked('associate', vsi(1))]), 1)), []);
  bridge.receive(station.lldp({ ...stationEvb, mode: 'bridge' }), 2);
  bridge.receive(station.lldp(null), 3);
  assert.equal(bridge.state().neighbour, null);
  assert.deepEqual(bridge.state().counters.ignored, { 'not the neighbour': 1, 'no EVB counterpart': 2 });
});

test('a flood is cut off, and fills no log; strangers use up nothing', () => {
  const bridge = connected({ controlFrames: { rate: 100, burst: 10 } });
  const stranger = new Peer(vmMac(2));
  let outputs = 0;
  for (let i = 0; i < 1_000; i++) outputs += bridge.receive(stranger.ecp(i, []), 20_000).length;
  assert.equal(outputs, 1);
  outputs = 0;
  for (let i = 0; i < 1_000; i++) outputs += sent(bridge.receive(station.ack(i + 500), 20_000)).length;
  assert.equal(outputs, 0);
  assert.equal(bridge.state().counters.ignored['rate limit'], 990);
  assert.equal(
    sent(bridge.receive(station.ecp(1, [asked('associate', vsi(1))]), 20_010)).length,
    1,
    'a token later',
  );
});

test('before the station is known nobody who speaks LLDP keeps it out, nor uses up anything of its share', () => {
  const bridge = bridgePort();
  bridge.linkUp(0);
  const flood = new Peer(vmMac(1)).lldp(null);
  for (let i = 0; i < 20_000; i++) bridge.receive(flood, 1);
  for (let n = 2; n < 1_000; n++) bridge.receive(new Peer(vmMac(n)).lldp(null), 1);
  const { 'rate limit': cutOff, 'no EVB counterpart': lookedInto } = bridge.state().counters.ignored;
  assert.deepEqual([cutOff, lookedInto], [19_950, 50 + 998]);
  bridge.receive(station.lldp(stationEvb), 1);
  assert.equal(bridge.state().neighbour?.mac, stationMac);
  for (let seq = 1; seq <= 8_000; seq++) bridge.receive(station.ack(seq), 1);
  assert.equal(bridge.state().counters.ignored['rate limit'], 19_950);
});

test('a station that forgets the bridge again and again is told of its VSIs once per second', () => {
  const bridge = connected();
  associate(bridge, 1, 1, 10_000);
  const { keepAliveSupervision } = bridge.state().timers;
  const forgets = (now: number) => {
    const confirmed = sent(bridge.receive(station.lldp(freshStationEvb), now)).filter((f) => 'seq' in f);
    for (const { seq } of confirmed) bridge.receive(station.ack(seq), now);
    bridge.receive(station.lldp(stationEvb), now);
    return confirmed.flatMap(vsisIn);
  };
  assert.deepEqual(
    [0, 10, 20, 30].flatMap((ms) => forgets(10_800 + ms)),
    [vsiId(1)],
  );
  const seen = pass(bridge, 10_830, 13_000).filter(({ output }) => output.kind !== 'send' || isVdp(output));
  const [last, ...repeats] = seen.filter(({ output }) => output.kind === 'send');
  assert.deepEqual([last?.at, repeats.length > 0], [11_800, true]);
  assert.deepEqual(
    seen.flatMap(({ at, output }) => (output.kind === 'released' ? [at] : [])),
    [11_800 + keepAliveSupervision],
    'supervised from then on',
  );
});

test('what the agent has to decide on is limited; the rest is refused, and what is held stays', () => {
  const bridge = connected();
  let seq = 0;
  const ask = (mode: 'pre-associate' | 'associate', ns: readonly number[], now: number) => {
    const requests = ns.map((n) => asked(mode, vsi(n)));
    return bridge.receive(station.ecp(++seq, requests), now).filter((output) => output.kind === 'request');
  };
  const some = Array.from({ length: 32 }, (_, n) => n + 1);
  for (let first = 0; first < 1024; first += some.length)
    for (const mode of ['pre-associate', 'associate'] as const)
      for (const { token } of ask(
        mode,
        some.map((n) => first + n),
        10_000,
      ))
        bridge.answer(token, accept, 10_000);
  assert.equal(bridge.state().vsis.length, 1024);
  assert.equal(bridge.state().counters.vdp.commandsFailed, 0, 'a whole host, reserved and then associated');

  let asks = 0;
  for (let round = 0; round < 100; round++)
    asks += ask(round % 2 ? 'associate' : 'pre-associate', some, 10_000).length;
  assert.ok(asks <= 500, `${asks} more at once`);
  const { lastRefusal, counters, vsis } = bridge.state();
  assert.equal(lastRefusal?.code, 'insufficient resources');
  assert.ok(counters.vdp.commandReverts > 0);
  assert.equal(vsis.length, 1024);
  const renewed = told(bridge.receive(station.ecp(++seq, [asked('associate', vsi(1000))]), 10_000));
  assert.deepEqual(
    renewed,
    [{ kind: 'renewed', vsiId: vsiId(1000) }],
    'what the agent is not asked for is free',
  );
  assert.equal(ask('pre-associate', some.slice(0, 5), 10_010).length, 5, '500 per second');
});

test('of LLDPDUs of the station so many are looked into, and no more', () => {
  const bridge = connected();
  const before = bridge.state().counters.lldp.received;
  for (let i = 0; i < 200; i++) bridge.receive(station.lldp(stationEvb), 20_000);
  assert.equal(bridge.state().counters.lldp.received - before, 50);
});

test('a port holds so many VSIs and no more, a VSI so many filter entries', () => {
  const bridge = connected({ limits: { vsis: 2, filterEntries: 1 } });
  associate(bridge, 1, 1, 10_000);
  associate(bridge, 2, 2, 10_100);
  const refusals = (seq: number, outputs: readonly BridgePortOutput[]) => {
    const [ack, answer] = sent(outputs);
    assert.deepEqual(ack, { ack: seq });
    assert.ok(answer && 'seq' in answer && answer.tlvs[0]?.kind === 'answer');
    bridge.receive(station.ack(answer.seq), 10_100 + seq * 10);
    return answer.tlvs[0].refusal;
  };
  const full = bridge.receive(station.ecp(3, [asked('associate', vsi(3))]), 10_130);
  assert.deepEqual(refusals(3, full), { code: 'insufficient resources', keep: false, hard: false });
  const { filter } = vsi(1);
  const wide = { ...vsi(1), filter: { ...filter, entries: [...filter.entries, ...vsi(5).filter.entries] } };
  const outputs = bridge.receive(station.ecp(4, [asked('associate', wide)]), 10_140);
  assert.deepEqual(refusals(4, outputs), { code: 'insufficient resources', keep: true, hard: false });
  assert.equal(bridge.state().vsis.length, 2);
});

test('a request that cannot be granted, where something is held: refused with KEEP, which is an answer as any other', () => {
  const bridge = connected({ limits: { vsis: 2, filterEntries: 1 } });
  const { keepAlive } = bridge.state().timers;
  associate(bridge, 1, 1, 10_000);
  const before = tokenIn(bridge.receive(station.ecp(2, [asked('pre-associate', vsi(1))]), 10_100));
  const entries = [...vsi(1).filter.entries, ...vsi(5).filter.entries];
  const wide = { ...vsi(1), filter: { format: 'mac-vid', entries } } as const;
  const at = 10_000 + 0.9 * keepAlive;
  const outputs = bridge.receive(station.ecp(3, [asked('associate', wide)]), at);
  assert.deepEqual(told(outputs), []);
  bridge.receive(station.ack(sentSequence(outputs.slice(1))), at);
  assert.equal(bridge.awaits(before), false, 'the station has given up what it asked for before');
  assert.deepEqual(told(pass(bridge, at, at + keepAlive).map(({ output }) => output)), []);
  assert.equal(bridge.state().vsis[0]?.association, 'associated', 'at least until the next keep-alive');
});

test('what is being decided on counts as what is held, and de-associating makes room', () => {
  const bridge = connected({ limits: { vsis: 2, filterEntries: 1 } });
  const first = tokenIn(bridge.receive(station.ecp(1, [asked('associate', vsi(1))]), 10_000));
  tokenIn(bridge.receive(station.ecp(2, [asked('pre-associate', vsi(2))]), 10_010));
  const full = bridge.receive(station.ecp(3, [asked('associate', vsi(3))]), 10_020);
  assert.deepEqual(told(full), []);
  assert.equal(bridge.state().lastRefusal?.code, 'insufficient resources');
  assert.equal(bridge.state().pending, 2);
  bridge.receive(station.ack(sentSequence(full.slice(1))), 10_020);
  bridge.receive(station.ecp(4, [asked('de-associate', vsi(1))]), 10_030);
  assert.equal(bridge.awaits(first), false);
  assert.equal(
    told(bridge.receive(station.ecp(5, [asked('associate', vsi(3))]), 10_040))[0]?.kind,
    'request',
  );
});

test('the exponents amount to the times that lldpad waits', () => {
  const lldpad = { retries: 3, rte: 8, rwd: 20, rka: 20 };
  const rounded = (timers: typeof lldpad) =>
    Object.fromEntries(Object.entries(timingOf(timers)).map(([name, ms]) => [name, Number(ms.toFixed(2))]));
  // (1 + 2R) * 2^RTE is ECP's way there and back at its slowest
  assert.deepEqual(rounded(lldpad), {
    retries: 3,
    acknowledgement: 2.56,
    resourceWait: 10_485.76,
    responseWait: 15_755.52,
    keepAlive: 10_485.76,
    keepAliveSupervision: 15_755.52,
  });
  assert.equal(rounded({ ...lldpad, rwd: 18 }).responseWait, 3_959.04);
  const least = rounded({ retries: 0, rte: 0, rwd: 0, rka: 0 });
  assert.deepEqual(Object.values(least), [0, 0.01, 0.01, 0.03, 0.01, 0.03]);
  const most = Object.values(rounded({ retries: 7, rte: 31, rwd: 31, rka: 31 }));
  assert.ok(Math.max(...most) < 2 ** 31, 'no timer of the host overflows');
});

test("group ids need both sides, and a VM's address is no group's", () => {
  const grouped = {
    ...vsi(1),
    filter: { format: 'group-vid', entries: [{ vid: vsi(1).filter.entries[0]!.vid, group: 7 }] },
  } as const;
  const multicast = {
    ...vsi(2),
    filter: {
      format: 'mac-vid',
      entries: [{ vid: vsi(1).filter.entries[0]!.vid, mac: parseMac('01:00:5e:00:00:01') }],
    },
  } as const;
  for (const description of [grouped, multicast]) {
    const [, answer] = sent(connected().receive(station.ecp(1, [asked('associate', description)]), 10_000));
    assert.ok(answer && 'seq' in answer && answer.tlvs[0]?.kind === 'answer');
    assert.equal(answer.tlvs[0].refusal?.code, 'invalid VID, GroupID or MAC address');
  }
  const both = bridgePort({ evb: { ...evb, groupIds: true } });
  both.linkUp(0);
  both.receive(station.lldp({ ...stationEvb, station: { sgid: true, rrreq: true, rrstat: 1 } }), 1);
  assert.equal(told(both.receive(station.ecp(1, [asked('associate', grouped)]), 2))[0]?.kind, 'request');
});

test('a request that cannot be read is refused with its own octets', () => {
  const bridge = connected();
  const info = new Uint8Array(25 + 2);
  info.set([0, 0, 0, 17, 1, 5], 0);
  info.set([1, 0, 1, 0x0f, 0xff], 22);
  const [ack, answer] = sent(bridge.receive(station.ecp(1, [{ kind: 'other', type: 3, info }]), 10_000));
  assert.deepEqual(ack, { ack: 1 });
  assert.ok(answer && 'seq' in answer && answer.tlvs[0]?.kind === 'unusable');
  assert.equal(answer.tlvs[0].refusal, 'invalid VID, GroupID or MAC address');
  assert.deepEqual(answer.tlvs[0].info.subarray(1), info.subarray(1));
});

test('an association that is too short costs none beside it', () => {
  const bridge = connected();
  const short = { kind: 'other', type: 3, info: new Uint8Array(20) } as const;
  const outputs = bridge.receive(station.ecp(1, [short, asked('associate', vsi(1))]), 10_000);
  assert.deepEqual(sent(outputs), [{ ack: 1 }]);
  const [ignored, request] = told(outputs);
  const detail = `from ${stationMac}: associate has 20 octets; it has at least 25`;
  assert.deepEqual(ignored, { kind: 'ignored', reason: 'malformed', detail });
  assert.equal(request?.kind === 'request' && request.vsiId, vsiId(1));
});

test("a filter that is no answer to the request is the agent's mistake", () => {
  const bridge = connected();
  const token = tokenIn(bridge.receive(station.ecp(1, [asked('associate', vsi(1))]), 10_000));
  assert.throws(
    () => bridge.answer(token, { kind: 'accept', filter: vsi(2).filter }, 10_000),
    /differs in more than/,
  );
});
