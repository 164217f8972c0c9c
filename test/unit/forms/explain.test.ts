import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { z } from 'zod';
import { explainIssues, lineOf, problemsOf } from '../../../src/forms/explain.ts';
import { optional, strict } from '../../../src/forms/strict.ts';

const schema = strict({
  name: z.string().min(2),
  size: z.int().max(10).default(1),
  mode: optional(z.enum(['a', 'b'])),
  port: optional(z.union([z.string(), z.number()])),
  list: z
    .array(strict({ on: z.boolean() }))
    .max(2)
    .default([]),
});

function lines(input: unknown, quoted = true): string[] {
  const { error } = schema.safeParse(input);
  return explainIssues('f.yaml', error!, quoted ? input : undefined);
}

describe('explaining what is wrong', () => {
  it('names file and key, quotes the value, and says what would be right', () => {
    assert.deepEqual(
      lines({ name: 'x', size: 11.5, mode: 'c', port: true, list: [{ on: 1 }, { off: true }] }),
      [
        'f.yaml: name: is "x"; at least 2 characters would be right',
        'f.yaml: size: is 11.5; a whole number would be right',
        'f.yaml: mode: is "c"; "a" or "b" would be right',
        'f.yaml: port: is true; a text or a number would be right',
        'f.yaml: list.0.on: is 1; true or false would be right',
        'f.yaml: list.1.on: is missing; true or false would be right',
        'f.yaml: list.1.off: is not a known key; on would be right',
      ],
    );
    assert.deepEqual(lines({ name: 'ab', size: 11, list: [1, {}, []] }), [
      'f.yaml: size: is 11; at most 10 would be right',
      'f.yaml: list: is a list of 3; at most 2 entries would be right',
    ]);
    assert.deepEqual(lines({ name: 'ab', list: [1, []] }), [
      'f.yaml: list.0: is 1; a mapping would be right',
      'f.yaml: list.1: is an empty list; a mapping would be right',
    ]);
    assert.deepEqual(lines(null), ['f.yaml: is null; a mapping would be right']);
    assert.deepEqual(lines([1]), ['f.yaml: is a list of 1; a mapping would be right']);
  });

  it('has one line for each field', () => {
    assert.deepEqual(lines({ name: 'ab', size: 1e18, list: 'long' }), [
      'f.yaml: size: is 1000000000000000000; at most 10 would be right',
      'f.yaml: list: is "long"; a list would be right',
    ]);
    const either = z.discriminatedUnion('kind', [
      strict({ kind: z.literal('a') }),
      strict({ kind: z.literal('b') }),
    ]);
    const line = (input: unknown) => explainIssues('f', either.safeParse(input).error!, input);
    assert.deepEqual(line({ kind: 'c' }), ['f: kind: is "c"; "a" or "b" would be right']);
    assert.deepEqual(line({}), ['f: kind: is missing; "a" or "b" would be right']);
  });

  it('tells types where it was not given the value', () => {
    assert.deepEqual(lines({ name: 5, size: 11, mode: 'c' }, false), [
      'f.yaml: name: is a number; a text would be right',
      'f.yaml: size: is too big; at most 10 would be right',
      'f.yaml: mode: does not fit; "a" or "b" would be right',
    ]);
    assert.deepEqual(lines({}, false), ['f.yaml: name: is missing; a text would be right']);
  });

  it('knows an unknown key from one that objects inherit', () => {
    assert.deepEqual(lines(JSON.parse('{"name":"ab","__proto__":1,"toString":2}')).slice(-1), [
      'f.yaml: toString: is not a known key; name, size, mode, port, list would be right',
    ]);
  });

  it('stays one line of bounded length, whatever the value', () => {
    fc.assert(
      fc.property(fc.anything({ withBigInt: false }), (input) => {
        const { error } = schema.safeParse(input);
        for (const problem of error ? problemsOf(error, input) : []) {
          assert.doesNotMatch(lineOf(problem), /\p{Cc}/u);
          assert(lineOf(problem).length <= 810);
        }
      }),
    );
    const [line] = lines({ name: 'ab', mode: `\n\u001b${'x'.repeat(1e6)}` });
    assert.match(line!, /^f.yaml: mode: is "\\n\\u001bxxx.* … x+"; "a" or "b" would be right$/);
  });
});
