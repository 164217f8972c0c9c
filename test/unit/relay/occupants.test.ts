import assert from 'node:assert/strict';
import { it } from 'node:test';
import * as fc from 'fast-check';
import { Occupants } from '../../../src/relay/ebpf/tables/occupants.ts';
import { occupancies, sharedVlan } from '../../../src/relay/contract/policy.ts';
import { at, only, vsi } from '../../kit/relay/states.ts';

const kinds = [
  vsi(1, { active: at('s1') }),
  vsi(2, { active: at('s1') }),
  vsi(3, { active: at('s1'), policy: { vlan: 20 } }),
  vsi(4, { active: at('s1'), policy: { accessList: only('deny', { protocol: 6 }) } }),
  vsi(5, { armed: at('s1') }),
  vsi(6, { released: at('s1') }),
].flatMap((one) => [...occupancies(one)]);

it('occupants who come and go share what those who are there now share', () => {
  const comings = fc.array(fc.tuple(fc.boolean(), fc.nat({ max: 99 })), { maxLength: 30 });
  fc.assert(
    fc.property(comings, (moves) => {
      const occupants = new Occupants(new Map());
      const there: (typeof kinds)[number][] = [];
      for (const [comes, which] of moves) {
        if (comes) {
          const one = kinds[which % kinds.length]!;
          there.push(one);
          occupants.add(one);
        } else if (there.length) occupants.delete(there.splice(which % there.length, 1)[0]!);
        assert.equal(occupants.sharedVlan, sharedVlan(there, new Map()));
      }
    }),
  );
});
