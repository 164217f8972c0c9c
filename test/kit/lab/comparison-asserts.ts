import assert from 'node:assert/strict';

/** What `lab compare --json` prints of each run. */
const runKeys = ['stopMs', 'gapMs', 'networkAddedMs', 'lost', 'droppedAtSwitch', 'duplicated', 'haltedMs'];
const lostKeys = ['toVm', 'fromVm', 'sourceTap', 'beforeFlip', 'queueFull', 'afterFlip'];

export interface Compared {
  readonly runs: number;
  readonly silent: boolean;
  /** `learning` needs a kernel */
  readonly strategies: readonly string[];
}

/** The shape of what `lab compare --json` prints, key by key, and what must hold of its numbers. */
export function assertComparison(printed: unknown, { runs, silent, strategies: names }: Compared): void {
  const told = JSON.stringify(printed);
  const { strategies, ...more } = printed as { strategies: Record<string, Record<string, unknown>> };
  assert.deepEqual(more, { silent });
  assert.deepEqual(Object.keys(strategies), names);
  for (const [name, strategy] of Object.entries(strategies)) {
    assert.deepEqual(new Set(Object.keys(strategy)), new Set(['runs', 'networkAddedMs']));
    const { p50, max, ...rest } = strategy['networkAddedMs'] as Record<string, number | null>;
    assert.deepEqual(rest, {});
    const list = strategy['runs'] as Record<string, unknown>[];
    assert.equal(list.length, runs);
    // a silent VM is not found by who waits for its word
    const isLost = silent && name !== 'profile-first';
    for (const run of list) {
      assert.deepEqual(new Set(Object.keys(run)), new Set(runKeys), told);
      const { lost: losses, gapMs, networkAddedMs, ...numbers } = run;
      const lost = losses as Record<string, number>;
      assert.deepEqual(new Set(Object.keys(lost)), new Set(lostKeys));
      for (const value of [...Object.values(numbers), ...Object.values(lost)])
        assert.equal(typeof value, 'number', told);
      for (const value of [gapMs, networkAddedMs])
        if (isLost) assert.equal(value, null, told);
        else assert.equal(typeof value, 'number', told);
      const { toVm, fromVm, ...places } = lost;
      assert.equal(
        Object.values(places).reduce((sum, n) => sum + n, 0),
        toVm,
        told,
      );
      assert.equal(run['duplicated'], 0, told);
      if (name === 'profile-first')
        assert.deepEqual([run['droppedAtSwitch'], fromVm, lost['afterFlip']], [0, 0, 0], told);
      if (name === 'garp' && !silent) assert.ok((run['droppedAtSwitch'] as number) > 0, told);
    }
    const added = list.map((run) => run['networkAddedMs'] as number | null);
    assert.equal(max, added.includes(null) ? null : Math.max(...(added as number[])));
    if (max !== null) assert.equal(typeof p50, 'number');
  }
}
