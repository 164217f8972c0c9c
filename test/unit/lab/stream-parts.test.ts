import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import {
  answerSpan,
  decodeAnswer,
  decodeBeacon,
  decodeProbe,
  decodeQuery,
  encodeAnswer,
  encodeBeacon,
  encodeProbe,
  encodeQuery,
} from '../../../src/lab/stream/datagram.ts';
import { Pace } from '../../../src/lab/stream/pace.ts';
import { SequenceWindow } from '../../../src/lab/stream/sequence-window.ts';
import { VmCounters } from '../../../src/lab/stream/vm-counters.ts';

const u32 = fc.nat(0xffffffff);
const record = <T>(fields: { [K in keyof T]: fc.Arbitrary<T[K]> }) =>
  fc.record(fields, { noNullPrototype: true });
const u64 = fc.bigInt(0n, (1n << 64n) - 1n);

describe('datagrams', () => {
  it('have these octets', () => {
    const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');
    assert.equal(
      hex(encodeProbe({ sequence: 1, run: 2n, quiet: false })),
      '4870546f000000010000000000000002',
    );
    assert.equal(hex(encodeProbe({ sequence: 1, run: 2n, quiet: true })), '48705471000000010000000000000002');
    assert.equal(hex(encodeQuery({ from: 8192, run: 2n })), '48705175000020000000000000000002');
    assert.equal(
      hex(encodeAnswer({ from: 0, run: 2n, duplicated: 3, received: new Uint8Array(1024).fill(255) })),
      `4870416e00000000000000000000000200000003${'ff'.repeat(1024)}`,
    );
    assert.equal(
      hex(encodeBeacon({ sequence: 1, run: 2n, distinct: 3, duplicated: 4, highest: 5 })),
      '48704672000000010000000000000002000000030000000400000005',
    );
  });

  it('decode to what was encoded', () => {
    fc.assert(
      fc.property(record({ sequence: u32, run: u64, quiet: fc.boolean() }), (probe) => {
        assert.deepEqual(decodeProbe(encodeProbe(probe)), probe);
      }),
    );
    fc.assert(
      fc.property(record({ from: fc.nat(500_000).map((n) => n * answerSpan), run: u64 }), (query) => {
        assert.deepEqual(decodeQuery(encodeQuery(query)), query);
      }),
    );
    const received = fc.uint8Array({ minLength: answerSpan / 8, maxLength: answerSpan / 8 });
    fc.assert(
      fc.property(record({ from: u32, run: u64, duplicated: u32, received }), (answer) => {
        assert.deepEqual(decodeAnswer(encodeAnswer(answer)), answer);
      }),
    );
    fc.assert(
      fc.property(
        record({ sequence: u32, run: u64, distinct: u32, duplicated: u32, highest: u32 }),
        (beacon) => {
          assert.deepEqual(decodeBeacon(encodeBeacon(beacon)), beacon);
        },
      ),
    );
  });

  it('of others are none', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
        assert.equal(decodeProbe(bytes), null);
        assert.equal(decodeBeacon(bytes), null);
        assert.equal(decodeQuery(bytes), null);
        assert.equal(decodeAnswer(bytes), null);
      }),
    );
  });
});

describe('the sequence window', () => {
  it('knows what it has seen, in any order, as a set does', () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(fc.nat(40), fc.nat(60_000))), (sequences) => {
        const window = new SequenceWindow();
        const seen = new Set<number>();
        for (const sequence of sequences) {
          assert.equal(window.add(sequence), !seen.has(sequence));
          seen.add(sequence);
          assert.equal(window.highest, Math.max(...seen));
        }
      }),
    );
  });

  it('goes on after the window is full, and takes the oldest for seen', () => {
    const window = new SequenceWindow();
    for (let sequence = 0; sequence < 200_000; sequence++)
      if (sequence % 3) assert.equal(window.add(sequence), true);
    assert.equal(window.add(199_998), true); // 199,998 is a multiple of 3
    assert.equal(window.add(199_998), false);
    assert.equal(window.add(3), false);
    assert.equal(window.add(900_000), true);
    assert.equal(window.add(899_999), true);
  });
});

describe('the pace', () => {
  it('never owes more than the time that passed, and makes up for a late timer', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(5_000)), (waits) => {
        const pace = new Pace(0, 1000, 10);
        let now = 0;
        let sent = 0;
        for (const wait of waits) {
          now += wait;
          sent += pace.due(now);
          assert.equal(sent, Math.floor(now / 1000) + 1);
        }
      }),
    );
  });

  it('starts anew after a stop', () => {
    const pace = new Pace(0, 1000, 5);
    assert.deepEqual(
      [0, 999, 1000, 51_500, 52_499, 52_500].map((now) => pace.due(now)),
      [1, 0, 1, 1, 0, 1],
    );
  });
});

describe('the VM’s counters', () => {
  it('count different probes and second copies, by measurement', () => {
    const counters = new VmCounters();
    assert.deepEqual(counters.beacon(), { sequence: 0, run: 0n, distinct: 0, duplicated: 0, highest: 0 });
    for (const sequence of [0, 2, 2, 1, 7])
      assert.equal(counters.receive({ run: 5n, sequence, quiet: false }), true);
    assert.deepEqual(counters.beacon(), { sequence: 1, run: 5n, distinct: 4, duplicated: 1, highest: 7 });
    counters.receive({ run: 6n, sequence: 2, quiet: false });
    assert.equal(counters.receive({ run: 5n, sequence: 8, quiet: false }), false);
    assert.deepEqual(counters.beacon(), { sequence: 2, run: 6n, distinct: 1, duplicated: 0, highest: 2 });
  });

  it('name what they have received when they are asked, of this measurement only', () => {
    const counters = new VmCounters();
    for (const sequence of [0, 2, 2, 9, answerSpan + 1])
      counters.receive({ run: 5n, sequence, quiet: false });
    const { received, duplicated } = counters.answer({ from: 0, run: 5n })!;
    assert.deepEqual([...received.subarray(0, 3), duplicated], [0b101, 0b10, 0, 1]);
    assert.equal(counters.answer({ from: answerSpan, run: 5n })!.received[0], 0b10);
    assert.equal(counters.answer({ from: 0, run: 6n }), null);
  });

  it('are quiet until a probe comes, and when the latest one asks for it', () => {
    const counters = new VmCounters();
    assert.equal(counters.quiet, true);
    for (const [sequence, quiet] of [false, true, false].entries()) {
      counters.receive({ run: 5n, sequence, quiet });
      assert.equal(counters.quiet, quiet);
    }
  });
});
