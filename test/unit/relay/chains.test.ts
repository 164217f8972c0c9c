import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { Chains } from '../../../src/relay/ebpf/tables/chains.ts';

const slots = 6;
const vlans = 3;
const size = 32;
const noGrace = () => {};

/** The slots that a program meets in a VLAN, from a node on; fails where it would go round in circles. */
function walk(nodes: BigUint64Array, start: bigint): number[] {
  const met: number[] = [];
  for (let node = Number(start); node; node = Number(nodes[node]! & 0xffffffffn)) {
    assert.ok(met.length < size, 'a chain without an end');
    met.push(Number(nodes[node]! >> 32n));
  }
  return met;
}

function node(slot: number, next: number): bigint {
  return (BigInt(slot) << 32n) | BigInt(next);
}

describe('chains of VSIs', () => {
  it('have exactly the slots that were added and not removed, and are adopted as they are', () => {
    const step = fc.record({ slot: fc.integer({ min: 1, max: slots }), vlan: fc.nat(vlans - 1) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const first = new BigUint64Array(vlans);
        const nodes = new BigUint64Array(size);
        const model = new Set<string>();
        const open = () => new Chains(first, nodes, (slot, vlan) => model.has(`${slot} ${vlan}`), noGrace);
        let chains = open();
        steps.forEach(({ slot, vlan }, i) => {
          if (model.delete(`${slot} ${vlan}`)) chains.remove(slot, vlan);
          else {
            chains.add(slot, vlan);
            model.add(`${slot} ${vlan}`);
          }
          if (i % 7 === 6) chains = open();
          for (let vlan = 0; vlan < vlans; vlan++)
            assert.deepEqual(
              walk(nodes, first[vlan]!).toSorted((a, b) => a - b),
              [1, 2, 3, 4, 5, 6].filter((slot) => model.has(`${slot} ${vlan}`)),
            );
        });
      }),
    );
  });

  it('still lead onwards from a node that was taken out', () => {
    const first = new BigUint64Array(vlans);
    const nodes = new BigUint64Array(size);
    const chains = new Chains(first, nodes, () => false, noGrace);
    chains.add(1, 1);
    chains.add(2, 1);
    const standing = first[1]!;
    chains.add(3, 1);
    chains.remove(2, 1);
    assert.deepEqual(walk(nodes, standing), [2, 1]);
    assert.deepEqual(walk(nodes, first[1]!), [3, 1]);
  });

  it('are freed of slots that belong elsewhere, and of circles', () => {
    const first = BigUint64Array.of(0n, 1n, 0n);
    const nodes = BigUint64Array.of(0n, node(4, 2), node(5, 3), node(6, 1), 0n, 0n, 0n, 0n);
    const chains = new Chains(first, nodes, (slot) => slot !== 5, noGrace);
    assert.deepEqual(walk(nodes, first[1]!), [4, 6]);
    assert.deepEqual(
      [4, 5, 6].map((slot) => chains.has(slot, 1)),
      [true, false, true],
    );
  });
});
