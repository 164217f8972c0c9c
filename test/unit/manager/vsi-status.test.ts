import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { VsiStatus } from '../../../src/domain/vsi.ts';
import { mergeStatus } from '../../../src/manager/objects/association.ts';

const at = (port: string, association: VsiStatus['association'], at: number): VsiStatus => ({
  association,
  bridge: 'sw',
  port,
  station: null,
  at,
});

describe("a VSI's status", () => {
  it('follows a migration: the running port shows until another one runs it', () => {
    const source = at('p1', 'associated', 1);
    const reserved = at('p2', 'pre-associated with resource reservation', 2);
    const destination = at('p2', 'associated', 3);
    assert.deepEqual(mergeStatus(null, source), source);
    assert.deepEqual(mergeStatus(source, reserved), source);
    assert.deepEqual(mergeStatus(source, destination), destination);
    assert.deepEqual(mergeStatus(destination, at('p1', 'none', 4)), destination);
    assert.equal(mergeStatus(destination, at('p2', 'none', 5)), null);
    assert.equal(mergeStatus(null, at('p2', 'none', 5)), null);
  });

  it('is the later of two of a kind, whichever came first', () => {
    const early = at('p1', 'associated', 1);
    const late = at('p2', 'associated', 2);
    assert.deepEqual(mergeStatus(early, late), late);
    assert.deepEqual(mergeStatus(late, early), late);
  });

  it("is a port's newest word, whatever time stands in it: a clock that was set back hides nothing", () => {
    const late = at('p2', 'associated', 2);
    assert.equal(mergeStatus(late, at('p2', 'none', 1)), null);
    assert.deepEqual(mergeStatus(late, at('p2', 'associated', 1)), at('p2', 'associated', 1));
  });
});
