import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { backoff } from '../../../src/base/backoff.ts';
import { SseParser } from '../../../src/client/sse.ts';

describe('server-sent events', () => {
  const text =
    ': comment\n\nevent: put\ndata: {"a":1}\nid: 7\n\ndata: one\ndata:two\r\n\r\nevent: nothing\n\ndata\n\nretry: 5\n';
  const events = [
    { type: 'put', data: '{"a":1}' },
    { type: 'message', data: 'one\ntwo' },
    { type: 'message', data: '' },
  ];

  it('are the same however the stream is cut', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(text.length)), (cuts) => {
        const parser = new SseParser();
        const at = [0, ...cuts.sort((a, b) => a - b), text.length];
        const found = at.slice(1).flatMap((end, i) => parser.push(text.slice(at[i], end)));
        assert.deepEqual(found, events);
      }),
    );
  });

  it('of a hostile stream are bounded', () => {
    const megabyte = 'x'.repeat(1024 * 1024);
    const endless = new SseParser();
    assert.throws(() => {
      for (let i = 0; i < 100; i++) endless.push(megabyte);
    }, RangeError);
    const many = new SseParser();
    assert.throws(() => {
      for (let i = 0; i < 100; i++) many.push(`data: ${megabyte}\n`);
    }, RangeError);
    fc.assert(
      fc.property(
        fc.array(fc.string({ unit: fc.constantFrom(':', '\n', '\r', 'data', ' ', 'event', '\u2028') })),
        (chunks) => {
          const parser = new SseParser();
          for (const chunk of chunks) for (const { type } of parser.push(chunk)) assert.notEqual(type, '');
        },
      ),
    );
  });
});

describe('backing off', () => {
  const waits = (random: () => number) => {
    const wait = backoff(random);
    return Array.from({ length: 8 }, () => wait.next().value);
  };

  it('doubles from 100 ms to 5 s, the later half by chance', () => {
    assert.deepEqual(
      waits(() => 0),
      [50, 100, 200, 400, 800, 1600, 2500, 2500],
    );
    assert.deepEqual(
      waits(() => 0.5),
      [75, 150, 300, 600, 1200, 2400, 3750, 3750],
    );
  });
});
