import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { after, before, describe, it } from 'node:test';
import { interfaceIndex } from '../../src/linux/net/interfaces.ts';
import { monitorLinks, type LinkChange } from '../../src/linux/net/link-monitor.ts';
import { createNamespace, deleteNamespace, inNamespace } from '../../src/linux/net/namespace.ts';
import { ip } from '../../src/linux/run.ts';
import { until } from '../kit/peers/until.ts';

const namespace = `hp-links-${process.pid}`;
const indexOf = (name: string) => inNamespace(namespace, () => interfaceIndex(name));

/** Runs commands of ip(8) while nobody here reads anything. */
function batch(commands: readonly string[]): void {
  const { status, stderr } = spawnSync('ip', ['-n', namespace, '-batch', '-'], {
    input: commands.join('\n'),
    encoding: 'utf8',
  });
  assert.equal(status, 0, stderr);
}

function monitored(receiveBuffer?: number) {
  const changes: LinkChange[] = [];
  const failures: unknown[] = [];
  const stop = inNamespace(namespace, () =>
    monitorLinks(
      (change) => changes.push(change),
      (error) => failures.push(error),
      receiveBuffer,
    ),
  );
  const last = (name: string) => changes.findLast((change) => change.name === name);
  return { changes, failures, last, [Symbol.dispose]: stop };
}

describe('the link monitor', () => {
  before(async () => {
    await createNamespace(namespace);
    await ip(
      namespace,
      ['p1', 'p2', 'p3'].flatMap((name) => [`link add ${name} type bridge`, `link set ${name} up`]),
    );
  });
  after(() => deleteNamespace(namespace));

  it('tells nothing of links that do not change, and each change of the others', async () => {
    using monitor = monitored();
    batch(['link set p1 down', 'link set p1 up', 'link add y1 type bridge', 'link del y1']);
    await until('all is told', () => monitor.last('y1')?.exists === false);
    assert.deepEqual(new Set(monitor.changes.map(({ name }) => name)), new Set(['p1', 'y1']));
    assert.deepEqual(monitor.failures, []);
  });

  it('compares all links with the kernel when events were lost', async () => {
    using monitor = monitored(4_096);
    batch(['link add y2 type bridge']);
    await until('a link is known', () => monitor.last('y2') !== undefined);
    const before = indexOf('p1');
    const flood = Array.from({ length: 200 }, (_, i) => `link add x${i} type bridge`);
    // p1 is made anew, p2 goes and y2 goes, and the socket has no room left to hear of any of it
    batch([
      ...flood,
      'link del p1',
      'link add p1 type bridge',
      'link set p1 up',
      'link del p2',
      'link del y2',
    ]);
    await until('what was lost is told', () => monitor.last('p2')?.exists === false);
    const index = indexOf('p1');
    assert.notEqual(index, before);
    assert.deepEqual([monitor.last('p1')?.index, monitor.last('p1')?.exists], [index, true]);
    assert.equal(monitor.last('y2')?.exists, false);
    assert.equal(monitor.last('x199')?.exists, true);
    assert.equal(monitor.last('p3')?.exists, true, 'every link is told as it is');
    // and goes on
    batch(['link del x7']);
    await until('what comes after that is told', () => monitor.last('x7')?.exists === false);
    assert.deepEqual(monitor.failures, []);
  });
});
