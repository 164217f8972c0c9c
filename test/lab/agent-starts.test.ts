import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { Sink } from '../../src/bench/sink.ts';
import { interfaceIndex } from '../../src/linux/net/interfaces.ts';
import { createNamespace, deleteNamespace, inNamespace, nsenter } from '../../src/linux/net/namespace.ts';
import { ip, run } from '../../src/linux/run.ts';
import { hasIngress } from '../../src/linux/bpf/tc-program.ts';
import { hairpin } from '../kit/cli/hairpin.ts';

const directory = '/run/hp-t7';
const namespace = 'hp-t7-sw';
const bridge = {
  name: 'sw',
  manager: `unix:${directory}/none.sock`,
  stateDirectory: join(directory, 'state'),
  ports: { p1: { kind: 'station' } },
};
const station = { name: 'h1', uplink: 'p1', manager: bridge.manager, control: join(directory, 'h1.sock') };

before(async () => {
  mkdirSync(directory, { recursive: true });
  await createNamespace(namespace);
  await ip(namespace, ['link add p1 type veth peer name q1', 'link set p1 up']);
});

after(async () => {
  await deleteNamespace(namespace);
  // what a failing test is about
  await run('umount', [join(bridge.stateDirectory, 'bpf')]).catch(() => {});
  rmSync(directory, { recursive: true });
});

describe('an agent that cannot start says why in one line, and leaves nothing behind', () => {
  it('a station with an uplink that is not there', async () => {
    await refused('station', { ...station, uplink: 'p9' }, /^hairpin: [^\n]*\bp9\b[^\n]*$/);
  });

  it('a bridge without libbpf', async () => {
    // a mount namespace of its own in which every libbpf.so.1 is an empty file
    const libraries = (await run('ldconfig', ['-p'])).matchAll(/libbpf\.so\.1 .*=> (\S+)/g);
    const paths = Array.from(libraries, ([, path]) => path!);
    assert.ok(paths.length > 0, 'libbpf is installed');
    const hide = `${paths.map((path) => `mount --bind /dev/null ${path}`).join(' && ')} && exec "$@"`;
    await refused(
      'bridge',
      bridge,
      /^hairpin: [^\n]*libbpf\.so\.1 is missing; install Debian package libbpf1$/,
      ['unshare', '--mount', '--propagation', 'private', 'sh', '-c', hide, 'sh'],
    );
  });

  it('a bridge whose port another program has', async () => {
    const other = inNamespace(namespace, () => new Sink('p1'));
    try {
      await refused('bridge', bridge, /^hairpin: [^\n]*\bp1: in use\b[^\n]*$/);
      const held = inNamespace(namespace, () => hasIngress(interfaceIndex('p1')));
      assert.ok(held, 'the other program is still there');
    } finally {
      inNamespace(namespace, () => other.close());
    }
  });
});

async function refused(
  agent: 'bridge' | 'station',
  config: object,
  complaint: RegExp,
  under: readonly string[] = [],
): Promise<void> {
  const file = join(directory, `${agent}.yaml`);
  writeFileSync(file, JSON.stringify(config));
  const { code, stdout, stderr } = await hairpin([agent, '--config', file], {
    under: nsenter(namespace, under),
  });
  assert.match(stderr, complaint);
  assert.deepEqual([code, stdout], [1, '']);
  rmSync(file);
  assert.deepEqual(readdirSync(directory), [], 'no file is left');
  assert.doesNotMatch(readFileSync('/proc/self/mounts', 'utf8'), /\/hp-t7\//, 'no mount is left');
  const filters = await run('tc', ['-n', namespace, 'filter', 'show', 'dev', 'p1', 'ingress']);
  assert.doesNotMatch(filters, /bpf/, 'no program is left');
}
