import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NetworkAnnouncer, type Saying, type Told } from '../../../src/bridge/core/network-announcer.ts';
import { Moves } from '../../../src/bridge/core/moves.ts';
import { parseVid, type Vid } from '../../../src/domain/vid.ts';
import type { VsiId } from '../../../src/domain/vsi-id.ts';
import { VirtualClock } from '../../../src/base/virtual-clock.ts';
import { idOf } from '../../kit/relay/states.ts';

const vlans = [10, 20].map(parseVid);

/** An announcer whose frames are words. */
function bench(perSecond = 500) {
  const time = new VirtualClock();
  const places = new Map<VsiId, string>();
  const sent: string[] = [];
  const announcer = new NetworkAnnouncer({
    clock: {
      now: () => time.now(),
      at: (at, action) => {
        let cancelled = false;
        time.at(at, () => cancelled || action());
        return () => void (cancelled = true);
      },
    },
    perSecond,
    frames: (vsiId: VsiId, port: string, saying: Saying): Told[] =>
      places.get(vsiId) === port
        ? vlans.map((vlan: Vid) => ({
            vlan,
            frame: Buffer.from(`${parseInt(vsiId.slice(-12), 16)} ${port} ${saying} ${vlan}`),
          }))
        : [],
    send: ({ frame }) => void sent.push(`${Math.round(time.now())} ${Buffer.from(frame).toString()}`),
  });
  const flip = (n: number, port: string) => {
    places.set(idOf(n), port);
    announcer.flipped(idOf(n), port);
  };
  return { time, places, sent, announcer, flip };
}

test('a flip is told at once and 100 ms later, and its confirmation once more', () => {
  const { time, sent, announcer, flip } = bench();
  flip(1, 'p2');
  time.passUntil(150);
  announcer.confirmed(idOf(1), 'p2');
  time.passUntil(10_000);
  assert.deepEqual(sent, [
    '0 1 p2 place 10',
    '0 1 p2 place 20',
    '100 1 p2 place 10',
    '100 1 p2 place 20',
    '150 1 p2 addresses 10',
    '150 1 p2 addresses 20',
  ]);
  assert.equal(announcer.waiting, 0);
});

test('an undo cancels what the destination had to say, and tells of the source', () => {
  const { time, sent, announcer, flip } = bench();
  flip(1, 'p2');
  time.passUntil(50);
  flip(1, 'p1');
  time.passUntil(10_000);
  assert.deepEqual(
    sent.filter((_, i) => i % 2 === 0),
    ['0 1 p2 place 10', '50 1 p1 place 10', '150 1 p1 place 10'],
  );
  assert.equal(announcer.counters.cancelled, 1);
});

test('nothing is told of a VSI that is not active there any more', () => {
  const { time, sent, places, announcer, flip } = bench();
  flip(1, 'p2');
  flip(2, 'p2');
  places.delete(idOf(1));
  announcer.cancel(idOf(2));
  time.passUntil(10_000);
  assert.deepEqual(
    sent.filter((line) => !line.startsWith('0 ')),
    [],
  );
});

test('frames are paced, each once in its turn, and flips come first', () => {
  const { time, sent, places, announcer, flip } = bench(100); // a burst of 4
  for (let n = 1; n <= 50; n++) places.set(idOf(n), 'p1');
  announcer.tookOver(Array.from(places), new Set([vlans[0]!]));
  assert.equal(sent.length, 4);
  assert.equal(announcer.waiting, 46);
  flip(99, 'p2');
  time.passUntil(30);
  const after = (line: string) => line.slice(line.indexOf(' ') + 1);
  assert.deepEqual(sent.slice(4, 6).map(after), ['99 p2 place 10', '99 p2 place 20']);
  time.passUntil(60_000);
  const told = sent.map(after);
  for (let n = 1; n <= 50; n++) assert.equal(told.filter((line) => line === `${n} p1 place 10`).length, 1);
  assert.ok(!told.some((line) => line.endsWith('p1 place 20')), 'in the VLANs that were taken over alone');
  assert.equal(told.length, 54);
  for (let from = 0; from + 1000 <= 60_000; from += 250) {
    const within = sent.filter(
      (line) => Number(line.split(' ')[0]) >= from && Number(line.split(' ')[0]) < from + 1000,
    );
    assert.ok(within.length <= 104, `${within.length} in a second`);
  }
});

test('a thousand VSIs that flip again and again wait once each', () => {
  const { time, sent, announcer, flip } = bench();
  for (let round = 0; round < 20; round++) for (let n = 1; n <= 1000; n++) flip(n, `p${round % 2}`);
  assert.equal(announcer.waiting, 1000);
  time.passUntil(60_000);
  assert.equal(announcer.waiting, 0);
  assert.ok(sent.length < 20 + 2 * 2000 + 20);
  announcer.stop();
});

test('five moves within 180 s are an event, four are not', () => {
  const moves = new Moves();
  const at = [0, 60_000, 120_000, 180_000, 240_000, 250_000, 251_000, 252_000];
  assert.deepEqual(
    at.filter((time) => moves.moved(idOf(1), time)),
    [251_000],
    'what is more than 180 s ago counts no more, and the count begins anew',
  );
  for (let n = 2; n < 1000; n++) moves.moved(idOf(n), 300_000);
  assert.equal(moves.events, 1);
});
