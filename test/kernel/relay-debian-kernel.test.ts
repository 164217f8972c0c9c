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
const loaders = ['load-relay', 'load-filter'];
const init = `#!/bin/busybox sh
busybox mkdir -p /proc /dev /sys
busybox mount -t proc proc /proc
busybox mount -t devtmpfs dev /dev
busybox mount -t sysfs sys /sys
busybox ip link set lo up
for object in /objects/*; do
  echo "object $object"
  /bin/load-relay $object 2>&1
done
echo "filters"
/bin/load-filter /filters/vm-filter.bpf.o /filters/uplink-filter.bpf.o 2>&1
echo "kernel $(busybox uname -r)"
busybox reboot -f
`;

/** Boots Debian's own kernel under QEMU, emulated, with the objects in memory; what it says on its console. */
async function bootAndLoad(directory: string): Promise<string> {
  const { vmlinux } = await guestKernel(() => {});
  const libraries = ['-lbpf', '-lelf', '-lz'];
  const include = `-idirafter/usr/include/${process.arch === 'x64' ? 'x86_64' : 'aarch64'}-linux-gnu`;
  for (const loader of loaders) {
    const source = join(root, `test/kit/kernel/guest/${loader}.c`);
    const files = ['-o', join(directory, loader), source];
    await run('clang-14', ['-O1', '-Wno-everything', '-static', include, ...files, ...libraries]);
  }
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
    ...loaders.map((loader) => file(`bin/${loader}`, join(directory, loader), true)),
    { kind: 'directory', path: 'filters' },
    ...['vm-filter.bpf.o', 'uplink-filter.bpf.o'].map((name) =>
      file(`filters/${name}`, join(root, 'bpf', name)),
    ),
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

  it('load, the filters of control frames as well, and drop these alone', () => {
    const [, filters = ''] = said.replaceAll('\r', '').split('filters\n');
    const lines = filters.split('kernel ')[0]!.trim().split('\n');
    assert.deepEqual(
      lines.filter((line) => !line.startsWith('libbpf:')),
      [
        'loaded hp_vm_egress',
        'loaded hp_vm_ingress',
        'loaded hp_uplink',
        'LLDP of a VM: action 2',
        'LLDP to a VM: action 2',
        'something else of a VM: action -1',
        'LLDP of a socket that is no packet socket: action 2',
        'something else of it: action -1',
      ],
    );
  });
});
