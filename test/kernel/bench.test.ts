import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { makeBed, removeBeds, uplink } from '../../src/bench/bed.ts';
import type { OffloadReport } from '../../src/bench/offload/offload.ts';
import { Path } from '../../src/bench/path.ts';
import { contenders, names, pathThrough } from '../../src/bench/relay/contenders.ts';
import { algorithms, policedRates } from '../../src/bench/relay/policed.ts';
import type { RelayReport } from '../../src/bench/relay/relay.ts';
import { BenchError } from '../../src/bench/report.ts';
import { frame, vm } from '../../src/bench/vms.ts';
import { listNamespaces } from '../../src/linux/net/namespace.ts';

const hairpin = fileURLToPath(new URL('../../hairpin', import.meta.url));

/** What a quick run reports; it fails by itself if a contender does not enforce the policy or loses frames. */
async function bench<R>(what: string): Promise<R> {
  const before = await listNamespaces('hp-bench-'); // somebody else's
  const { stdout } = await promisify(execFile)(hairpin, [
    'bench',
    what,
    '--quick',
    '--rounds',
    '1',
    '--json',
  ]);
  const left = (await listNamespaces('hp-bench-')).filter((name) => !before.includes(name));
  assert.deepEqual(left, []);
  return JSON.parse(stdout) as R;
}

/** Those of `always` need nobody who may be missing. They are net of the generator: in one short round noise sets the sign. */
function assertRatios(ratios: object, always: readonly string[], others: readonly string[]): void {
  assert.deepEqual(Object.keys(ratios).sort(), [...always, ...others].sort());
  for (const [name, ratio] of Object.entries(ratios) as [string, number | null][])
    assert.ok(
      ratio === null ? others.includes(name) : Number.isFinite(ratio) && ratio !== 0,
      `${name}: ${ratio}`,
    );
}

describe('the benchmarks', () => {
  it('measure the relay and its peers', async () => {
    const report = await bench<RelayReport>('relay');
    const took = contenders().filter(({ missing }) => missing === null);
    for (const size of [64, 1500])
      assert.deepEqual(
        report.frames[size]!.paths.map(({ name }) => name),
        took.map(({ name }) => name),
      );
    const without = algorithms.filter((algorithm) => `TCP by ${algorithm}` in report.missing);
    assert.deepEqual(Object.keys(report.missing), [
      ...contenders().flatMap(({ name, missing }) => (missing === null ? [] : [name])),
      ...without.map((algorithm) => `TCP by ${algorithm}`),
    ]);
    assert.deepEqual(
      report.policed.map(({ algorithm, mbitPerSecond }) => [algorithm, mbitPerSecond]),
      algorithms
        .filter((algorithm) => !without.includes(algorithm))
        .flatMap((algorithm) => policedRates.map((rate) => [algorithm, rate])),
    );
    assert.ok(report.policed.every(({ share }) => share > 0));
    assert.deepEqual(
      report.tcp.map(({ name }) => name),
      [names.bridge, names.hairpin(1)],
    );
    assert.ok(report.stages.length >= 5);
    assert.equal(report.scale.sizes.length, 2);
    assertRatios(
      report.ratios,
      ['vsBridge', 'tcpVsBridge', 'vsis10000vs10'],
      ['vsBridgeNft100', 'vsBridgeNft1000', 'vsOvs', 'vsNftSets1000', 'rules1000vs1'],
    );
  });

  it("measure a host's share", async () => {
    const report = await bench<OffloadReport>('offload');
    assert.equal(report.hosts[0]!.name, 'VEPA');
    assert.ok(report.hosts.every(({ vmsPerCore }) => vmsPerCore > 0));
    assertRatios(report.ratios, ['vmsPerCoreVsBridge'], ['vmsPerCoreVsOvs']);
  });

  it('do not measure a switch that enforces less than the others', async () => {
    const bridge = contenders().find(({ name }) => name === names.bridge)!;
    try {
      await using undo = new AsyncDisposableStack();
      await assert.rejects(
        pathThrough({ ...bridge, rules: 10 }, undo),
        (error) => error instanceof BenchError && /lets 4 forbidden frames through/.test(error.message),
      );
    } finally {
      await removeBeds();
    }
  });

  it('do not measure a path that loses frames', async () => {
    try {
      const { host } = await makeBed();
      const end = { namespace: host, link: uplink };
      const path = new Path({ name: 'nowhere', from: end, to: end });
      try {
        assert.throws(() => path.cost([frame(vm(0), vm(1), 64)], 1), /nowhere: \d+ frames were lost/);
      } finally {
        path.close();
      }
    } finally {
      await removeBeds();
    }
  });
});
