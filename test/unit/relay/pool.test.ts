import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Pool } from '../../../src/relay/ebpf/tables/pool.ts';
import { RelayError } from '../../../src/relay/contract/relay.ts';

describe('a pool of numbers', () => {
  it('gives out each number once, but not 0 and not what is in use', () => {
    const pool = new Pool('port', 5, new Set([2]), () => assert.fail('nothing was retired'));
    assert.deepEqual([pool.take(), pool.take(), pool.take()], [1, 3, 4]);
    assert.throws(() => pool.take(), new RelayError('the data plane has no room for another port'));
  });

  it('gives a retired number out again only after a grace period', () => {
    let graces = 0;
    const pool = new Pool('VSI', 3, new Set(), () => graces++);
    const first = pool.take();
    pool.retire(first);
    assert.notEqual(pool.take(), first);
    assert.equal(graces, 0);
    assert.equal(pool.take(), first);
    assert.equal(graces, 1);
  });

  it('gives a number that nobody saw out again at once', () => {
    const pool = new Pool('VSI', 2, new Set(), () => assert.fail('nothing was retired'));
    pool.putBack(pool.take());
    assert.equal(pool.take(), 1);
  });
});
