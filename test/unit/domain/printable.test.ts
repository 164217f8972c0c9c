import assert from 'node:assert/strict';
import { it } from 'node:test';
import { printable, printableLines } from '../../../src/domain/printable.ts';

it('what a terminal acts on is written out, and all else stays', () => {
  assert.equal(
    printable('host\u202e7\u001b[31m\u009b\n\u2028\ufeff\u200b'),
    'host\\u202e7\\u001b[31m\\u009b\\u000a\\u2028\\ufeff\\u200b',
  );
  assert.equal(printable('Zürich 折り返し 👍'), 'Zürich 折り返し 👍');
  assert.equal(printable('\ud800 \u{e0041}'), '\\ud800 \\udb40\\udc41');
  assert.equal(printableLines('a\u202e\nb\r\n'), 'a\\u202e\nb\\u000d\n');
});

it('JSON stays JSON, and means the same', () => {
  const value = { name: 'a\u202e"\\\u0007\u{e0041}' };
  assert.deepEqual(JSON.parse(printableLines(JSON.stringify(value, null, 2))), value);
});
