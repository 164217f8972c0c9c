import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { waitForPrograms } from '../../src/linux/bpf/grace-period.ts';
import { BpfMap, createMap, mapTypes } from '../../src/linux/bpf/maps.ts';

describe('a grace period', () => {
  /** How often this thread has slept in the kernel so far. */
  function sleeps(): number {
    const status = readFileSync('/proc/thread-self/status', 'utf8');
    return Number(/^voluntary_ctxt_switches:\s*(\d+)$/m.exec(status)![1]);
  }

  function sleepsDuring(what: () => void): number {
    what();
    const before = sleeps();
    for (let times = 0; times < 10; times++) what();
    return sleeps() - before;
  }

  it('is slept through, each time, as no change of any other map is', () => {
    assert.ok(sleepsDuring(waitForPrograms) >= 10);
    const map = new BpfMap(createMap(mapTypes.array, 'hp_plain', 4), 'hp_plain', 4, 4);
    assert.ok(sleepsDuring(() => map.set(new Uint8Array(4), new Uint8Array(4))) < 10);
  });
});
