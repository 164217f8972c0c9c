import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { sendingPort, stateOf, vsisAt } from '../../../src/bench/peers/hairpin.ts';
import { forbidden, policy } from '../../../src/bench/policy.ts';
import { frame, vm } from '../../../src/bench/vms.ts';
import { limits } from '../../../src/domain/limits.ts';
import { ReferenceRelay } from '../../../src/relay/reference/relay.ts';

describe("the benchmarks' policy", () => {
  for (const rules of [0, 1, 10, limits.rules])
    it(`lets the benchmark's frames through and no forbidden one, with ${rules} rules`, () => {
      const relay = new ReferenceRelay();
      relay.apply(
        stateOf(
          new Map([['p1', sendingPort]]),
          vsisAt('p1', 2, () => policy(rules)),
        ),
      );
      const sent = frame(vm(0), vm(1), 64);
      assert.deepEqual(relay.receive('p1', sent, 1n), [{ port: 'p1', frame: sent }]);
      const others = forbidden(rules);
      assert.equal(others.length, rules === 0 ? 2 : rules === 1 ? 3 : 4);
      for (const other of others) assert.deepEqual(relay.receive('p1', other, 2n), []);
    });
});
