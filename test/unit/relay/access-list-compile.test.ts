import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { directions, type AccessList, type AccessRule } from '../../../src/domain/port-profile.ts';
import { compile } from '../../../src/relay/ebpf/access-list/compile.ts';
import { encode } from '../../../src/relay/ebpf/access-list/image.ts';
import { judge } from '../../../src/relay/reference/access-list.ts';
import { parseFrame } from '../../../src/relay/reference/frame.ts';
import { RelayError } from '../../../src/relay/contract/relay.ts';
import { anyFrame, anyRule, anyVlan, listOf } from '../../kit/relay/access-list-arbitrary.ts';
import { evaluate, headersOf } from '../../kit/relay/access-list-evaluator.ts';
import { differentRules, frameOfRule } from '../../kit/relay/access-list-rules.ts';
import { ethernet, ipv4 } from '../../kit/relay/frames.ts';

const source = { digest: new Uint8Array(16), octets: new Uint8Array(3) };
const imageOf = (list: AccessList) => encode(compile(list), source, 2);

describe('a compiled access list', () => {
  it('decides of every frame what the walk through the rules decides, by the same rule', () => {
    const rules = fc.oneof(
      fc.array(anyRule, { maxLength: 4 }),
      fc.array(anyRule, { minLength: 60, maxLength: 140, size: 'max' }),
    );
    const frames = fc.array(fc.tuple(anyFrame, anyVlan), { minLength: 20, maxLength: 40 });
    const decided = new Set<string>();
    fc.assert(
      fc.property(listOf(rules), frames, (list, frames) => {
        const image = imageOf(list);
        for (const [octets, vlan] of frames) {
          const frame = parseFrame(octets)!;
          for (const direction of directions) {
            const verdict = judge(list, direction, frame, vlan);
            assert.deepEqual(evaluate(image, direction, headersOf(frame, vlan)), verdict);
            decided.add(verdict.by === list.rules.length ? 'none' : verdict.by < 64 ? 'early' : 'late');
          }
        }
      }),
      { numRuns: 300 },
    );
    assert.deepEqual(decided, new Set(['early', 'late', 'none']));
  });

  it('has room for 1,024 rules of different prefixes and ranges, in less than half a megabyte', () => {
    const list: AccessList = { rules: differentRules(1024), otherwise: 'deny' };
    const image = imageOf(list);
    assert.ok(image.length < 1 << 19, `${image.length} octets`);
    for (const i of [0, 63, 64, 511, 1023]) {
      const frame = parseFrame(frameOfRule(i))!;
      assert.deepEqual(evaluate(image, 'from-vm', headersOf(frame, 1)), { allowed: i % 2 === 0, by: i });
    }
    const stranger = parseFrame(
      ethernet('02:00:00:00:00:02', '02:00:00:00:00:01', 0x0800, ipv4('11.0.0.1', '12.0.0.1')),
    )!;
    assert.deepEqual(evaluate(image, 'from-vm', headersOf(stranger, 1)), { allowed: false, by: 1024 });
  });

  it('is refused when its prefixes are too many for the data plane', () => {
    const sets = Object.fromEntries(
      Array.from({ length: 64 }, (_, i) => [
        `s${i}`,
        Array.from({ length: 512 }, (_, j) => ({ address: `2001:db8:${i}:${j}::`, length: 65 })),
      ]),
    );
    const rules = Object.keys(sets).flatMap((set): AccessRule[] => [
      { action: 'allow', direction: 'both', source: { set } },
      { action: 'allow', direction: 'both', destination: { set } },
    ]);
    assert.throws(() => imageOf({ rules, otherwise: 'deny', sets }), {
      name: RelayError.name,
      message: /^an access list of 128 rules with too many different prefixes for the data plane \(\d+ KiB\)/,
    });
  });
});
