import assert from 'node:assert/strict';

/** What `lab compare --json` prints of each run; the first four keys beside those that say how the stop came about. */
const runKeys = [
  'stopMs',
  'gapMs',
  'networkAddedMs',
  'lost',
  'droppedAtSwitch',
  'duplicated',
  'haltedMs',
  'heldMs',
];

/** The shape of what `lab compare --json` prints, key by key, and what must hold of its numbers. */
export function assertComparison(printed: unknown, runs: number): void {
  const told = JSON.stringify(printed);
  const { strategies, ...more } = printed as { strategies: Record<string, Record<string, unknown>> };
  assert.deepEqual(more, {});
  assert.deepEqual(new Set(Object.keys(strategies)), new Set(['profile-first', 'garp']));
  for (const [name, strategy] of Object.entries(strategies)) {
    assert.deepEqual(new Set(Object.keys(strategy)), new Set(['runs', 'networkAddedMs']));
    const { p50, max, ...rest } = strategy['networkAddedMs'] as Record<string, number>;
    assert.deepEqual([typeof p50, typeof max, rest], ['number', 'number', {}]);
    const list = strategy['runs'] as Record<string, unknown>[];
    assert.equal(list.length, runs);
    for (const run of list) {
      assert.deepEqual(new Set(Object.keys(run)), new Set(runKeys), told);
      const { lost, ...numbers } = run;
      assert.deepEqual(new Set(Object.keys(lost as object)), new Set(['toVm', 'fromVm']));
      for (const value of [...Object.values(numbers), ...Object.values(lost as object)])
        assert.equal(typeof value, 'number', told);
      if (name === 'profile-first') assert.equal(run['droppedAtSwitch'], 0, told);
      else assert.ok((run['droppedAtSwitch'] as number) > 0, told);
    }
    const added = list.map((run) => run['networkAddedMs'] as number);
    assert.equal(max, Math.max(...added));
  }
}
