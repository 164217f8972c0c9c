import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { Chains } from '../../../src/relay/ebpf/chains.ts';

const slots = 8;
const vlans = 3;

/** The slots that a program meets in a VLAN, from `start` on; fails where it would go round in circles. */
function walk(next: BigUint64Array, start: bigint): number[] {
  const met: number[] = [];
  for (let slot = Number(start); slot; slot = Number(next[slot])) {
    assert.ok(met.length < slots, 'a chain without an end');
    met.push(slot);
  }
  return met;
}

describe('chains of VSIs', () => {
  it('have exactly the slots that were added and not removed, and are adopted as they are', () => {
    const step = fc.record({ slot: fc.integer({ min: 1, max: slots - 1 }), vlan: fc.nat(vlans - 1) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const first = new BigUint64Array(vlans);
        const next = new BigUint64Array(slots);
        const model = new Map<number, number>();
        let chains = new Chains(first, next, () => null);
        steps.forEach(({ slot, vlan }, i) => {
          if (model.delete(slot)) chains.remove(slot);
          else {
            chains.add(slot, vlan);
            model.set(slot, vlan);
          }
          if (i % 7 === 6) chains = new Chains(first, next, (slot) => model.get(slot) ?? null);
          for (let vlan = 0; vlan < vlans; vlan++)
            assert.deepEqual(
              new Set(walk(next, first[vlan]!)),
              new Set([...model].filter(([, its]) => its === vlan).map(([slot]) => slot)),
            );
        });
      }),
    );
  });

  it('still lead onwards from a slot that was removed', () => {
    const next = new BigUint64Array(slots);
    const chains = new Chains(new BigUint64Array(vlans), next, () => null);
    for (const slot of [1, 2, 3]) chains.add(slot, 1);
    chains.remove(2);
    assert.deepEqual(walk(next, 2n), [2, 1]);
  });

  it('are freed of slots that belong elsewhere, and of circles', () => {
    const first = BigUint64Array.of(0n, 1n, 0n);
    const next = BigUint64Array.of(0n, 2n, 3n, 1n, 0n, 0n, 0n, 0n);
    const chains = new Chains(first, next, (slot) => (slot === 2 ? null : 1));
    assert.deepEqual(walk(next, first[1]!), [1, 3]);
    assert.deepEqual(
      [1, 2, 3].map((slot) => chains.has(slot)),
      [true, false, true],
    );
  });
});
