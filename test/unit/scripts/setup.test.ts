import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';

const directory = mkdtempSync(join(tmpdir(), 'hp-setup-'));
after(() => rmSync(directory, { recursive: true }));

/** The Debian packages that it would install on a machine that has none of the daemons, asked as a user who may not. */
function wantedFor(what: string): string[] {
  const commands = join(directory, 'bin');
  mkdirSync(join(directory, 'scripts'), { recursive: true });
  mkdirSync(commands, { recursive: true });
  copyFileSync(new URL('../../../scripts/setup', import.meta.url), join(directory, 'scripts/setup'));
  for (const [name, script] of Object.entries({ 'dpkg-query': 'exit 1', id: 'echo 1000' })) {
    writeFileSync(join(commands, name), `#!/bin/sh\n${script}\n`);
    chmodSync(join(commands, name), 0o755);
  }
  const { stderr, status } = spawnSync('sh', [join(directory, 'scripts/setup'), what], {
    encoding: 'utf8',
    env: { PATH: `${commands}:${process.env['PATH']}`, CI: '' },
  });
  assert.equal(status, 0, stderr);
  const [, packages = ''] = stderr.split('left out:');
  return packages.trim().split(' ').filter(Boolean);
}

describe('scripts/setup', { skip: process.platform !== 'linux' }, () => {
  it('is a shell script', () => {
    execFileSync('sh', ['-n', new URL('../../../scripts/setup', import.meta.url).pathname]);
  });

  it('installs for the benchmarks the peers that they measure against', () => {
    const wanted = wantedFor('bench');
    for (const peer of ['openvswitch-switch', 'lldpad']) assert.ok(wanted.includes(peer), peer);
    assert.ok(!wanted.includes('wpasupplicant'));
  });

  it('installs for the tests the daemons that they run', () => {
    const wanted = wantedFor('test');
    for (const daemon of ['lldpad', 'wpasupplicant', 'libvirt-daemon-system'])
      assert.ok(wanted.includes(daemon), daemon);
  });

  it('installs no daemon for the lab', () => {
    const wanted = wantedFor('');
    assert.deepEqual(
      wanted.filter((name) => ['lldpad', 'wpasupplicant', 'openvswitch-switch'].includes(name)),
      [],
    );
  });
});
