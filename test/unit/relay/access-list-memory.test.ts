import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { AccessList, AccessRule } from '../../../src/domain/port-profile.ts';
import { Heap } from '../../../src/relay/ebpf/access-list/heap.ts';
import { segmentSize } from '../../../src/relay/ebpf/access-list/image.ts';
import { AccessLists, readList, type Memory } from '../../../src/relay/ebpf/access-list/lists.ts';
import { RelayError } from '../../../src/relay/contract/relay.ts';
import { only } from '../../kit/relay/states.ts';

describe('the heap of access lists', () => {
  function heap(segments: number) {
    const said: string[] = [];
    const it = new Heap(
      100,
      () => {
        said.push('grow');
        const at = 100 * (said.filter((what) => what === 'grow').length - 1);
        return segments-- > 0 ? { at, units: 100 } : null;
      },
      () => said.push('grace'),
    );
    return { it, said };
  }

  it('grows when nothing is left, a segment at a time, and a run lies in one segment', () => {
    const { it, said } = heap(2);
    assert.deepEqual([it.take(60), it.take(40), it.take(60), it.take(40)], [0, 60, 100, 160]);
    assert.deepEqual(said, ['grow', 'grow']);
    it.retire(60, 40);
    it.retire(100, 60);
    assert.throws(() => it.take(61), RelayError);
  });

  it('gives out what was retired after a grace period, before it grows', () => {
    const { it, said } = heap(2);
    assert.equal(it.take(50), 0);
    assert.equal(it.take(50), 50);
    it.retire(0, 50);
    it.retire(50, 50);
    assert.equal(it.take(100), 0);
    assert.deepEqual(said, ['grow', 'grace']);
  });

  it('refuses what no segment holds', () => {
    assert.throws(() => heap(1).it.take(101), {
      message: 'the data plane has no room for another access list',
    });
  });
});

/** Segments without a kernel. */
class Segments implements Memory {
  readonly bytes: Uint8Array<ArrayBuffer>[] = [];

  get segments(): number {
    return this.bytes.length;
  }

  grow(): number {
    return this.bytes.push(new Uint8Array(segmentSize)) - 1;
  }

  from(segment: number, at: number): Uint8Array<ArrayBuffer> {
    return this.bytes[segment]!.subarray(at);
  }
}

describe('the access lists of a data plane', () => {
  const web = only('allow', { protocol: 6, destinationPorts: { from: 80, to: 80 } });
  const opened = (memory: Memory, used: readonly number[] = []) => new AccessLists(memory, used, 2, () => {});

  it('gives equal lists for one purpose one number, another list another', () => {
    const lists = opened(new Segments());
    const number = lists.acquire(web, 'access');
    assert.equal(lists.acquire(structuredClone(web), 'access'), number);
    assert.notEqual(lists.acquire(web, 'mirror'), number);
    assert.notEqual(lists.acquire({ ...web, otherwise: 'allow' }, 'access'), number);
  });

  it('needs no memory for a list without rules', () => {
    const memory = new Segments();
    const lists = opened(memory);
    const kinds: AccessList[] = (['allow', 'deny'] as const).map((otherwise) => ({ rules: [], otherwise }));
    const numbers = kinds.map((list) => lists.acquire(list, 'access'));
    assert.deepEqual(numbers, [0, 1]);
    assert.deepEqual(
      numbers.map((number) => readList(memory, number)),
      kinds,
    );
    assert.deepEqual(lists.frames(0), [0]);
    assert.equal(memory.segments, 0);
  });

  it('reads back what was acquired, sets that no rule names included', () => {
    const memory = new Segments();
    const lists = opened(memory);
    const prefix = { address: '10.0.0.0', length: 8 };
    const many: AccessList[] = [
      web,
      { rules: [], otherwise: 'allow', sets: { unused: [prefix] } },
      {
        rules: [{ action: 'deny', direction: 'to-vm', source: { set: 's' } }],
        otherwise: 'allow',
        sets: { s: [prefix] },
      },
    ];
    assert.deepEqual(
      many.map((list) => readList(memory, lists.acquire(list, 'access'))),
      many,
    );
  });

  it('keeps a list while it is used, and its place is free again after the last use', () => {
    const memory = new Segments();
    const lists = opened(memory);
    const number = lists.acquire(web, 'access');
    lists.acquire(web, 'access');
    lists.release(number);
    assert.equal(lists.acquire(web, 'access'), number);
    lists.release(number);
    lists.release(number);
    const big = { rules: Array.from({ length: 600 }, (_, i) => port(i)), otherwise: 'deny' as const };
    const numbers = new Set<number>();
    for (let i = 0; i < 200; i++) {
      const changed = lists.acquire({ ...big, rules: [port(1000 + i), ...big.rules] }, 'access');
      numbers.add(changed);
      lists.release(changed);
    }
    assert.equal(memory.segments, 1);
    assert.ok(numbers.size < 200);
  });

  it('takes over what the process before held, and writes over nothing of it', () => {
    const memory = new Segments();
    const before = opened(memory);
    const first = before.acquire(only('deny', { dscp: 1 }), 'access');
    const held = before.acquire(web, 'access');
    const last = before.acquire(only('deny', { dscp: 2 }), 'mirror');
    before.release(first);
    const lists = opened(memory, [held, last, held, 0]);
    assert.equal(lists.acquire(web, 'access'), held);
    const fresh = Array.from({ length: 50 }, (_, i) =>
      lists.acquire(only('deny', { dscp: 3 + i }), 'access'),
    );
    assert.ok(fresh.includes(first));
    assert.deepEqual(readList(memory, held), web);
    assert.deepEqual(readList(memory, last), only('deny', { dscp: 2 }));
    for (let use = 0; use < 3; use++) lists.release(held);
    assert.equal(new Set([...fresh, held, last]).size, 52);
  });
});

function port(i: number): AccessRule {
  return { action: 'allow', direction: 'both', protocol: 17, sourcePorts: { from: i, to: i + 5 } };
}
