import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { guestKernel } from '../../src/lab/guest/kernel.ts';
import { newcArchive, type ArchiveEntry } from '../../src/lab/guest/newc.ts';
import { run } from '../../src/linux/run.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const loader = join(root, 'test/kernel/guest/load-relay.c');
const init = `#!/bin/busybox sh
busybox mkdir -p /proc /dev
busybox mount -t proc proc /proc
busybox mount -t devtmpfs dev /dev
busybox ip link set lo up
for object in /objects/*; do
  echo "object $object"
  /bin/load-relay $object 2>&1
done
echo "kernel $(busybox uname -r)"
busybox reboot -f
`;

/** Boots Debian's own kernel under QEMU, emulated, with the objects in memory; what it says on its console. */
async function bootAndLoad(directory: string): Promise<string> {
  const { vmlinux } = await guestKernel(() => {});
  const program = join(directory, 'load-relay');
  const libraries = ['-lbpf', '-lelf', '-lz'];
  const include = `-idirafter/usr/include/${process.arch === 'x64' ? 'x86_64' : 'aarch64'}-linux-gnu`;
  await run('clang-14', ['-O1', '-Wno-everything', '-static', include, '-o', program, loader, ...libraries]);
  const file = (path: string, from: string, executable = false): ArchiveEntry => ({
    kind: 'file',
    path,
    content: readFileSync(from),
    executable,
  });
  const initramfs = newcArchive([
    { kind: 'directory', path: 'bin' },
    { kind: 'directory', path: 'objects' },
    { kind: 'file', path: 'init', content: Buffer.from(init), executable: true },
    file('bin/busybox', '/bin/busybox', true),
    file('bin/load-relay', program, true),
    file('objects/relay.bpf.o', join(root, 'bpf/relay.bpf.o')),
    file('objects/relay-record.bpf.o', join(root, 'bpf/relay-record.bpf.o')),
  ]);
  writeFileSync(join(directory, 'initramfs'), initramfs);
  const machine = '-machine pc,hpet=off -accel tcg -cpu qemu64 -m 512M';
  const io = '-nodefaults -no-user-config -display none -no-reboot -serial stdio';
  const parameters =
    'console=ttyS0 quiet panic=-1 mitigations=off apparmor=0 audit=0 acpi=off no_timer_check';
  const boot = ['-kernel', vmlinux, '-initrd', join(directory, 'initramfs'), '-append', parameters];
  return run('qemu-system-x86_64', [...`${machine} ${io}`.split(' '), ...boot]);
}

describe('the eBPF objects on Debian 12’s kernel', () => {
  const directory = mkdtempSync(join(tmpdir(), 'hp-debian-'));
  let said: string;
  before(async () => {
    said = await bootAndLoad(directory);
  });
  after(() => rmSync(directory, { recursive: true }));

  it('load, every program of theirs, and forward', () => {
    assert.match(said, /kernel 6\.1\./, said);
    for (const object of ['relay.bpf.o', 'relay-record.bpf.o']) {
      const [, ofObject = ''] = said.split(`object /objects/${object}`);
      const [lines = ''] = ofObject.split('object ');
      assert.match(lines, /loaded hp_relay\b/, lines);
      assert.match(lines, /loaded hp_trim\b/, lines);
      assert.match(lines, /forwarded/, lines);
    }
  });
});
