import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';
import { newcArchive, type ArchiveEntry } from './newc.ts';

const busybox = '/bin/busybox';

/** The line on the guest's serial console that says: it has its address, and answers. */
export const upLine = 'hairpin: up';

/** What the guest runs, from its first process on; the kernel hands `vm_*` of its command line to it. */
const init = `#!/bin/busybox sh
set -e
export PATH=/bin
busybox mkdir -p /proc /sys /dev
busybox mount -t proc proc /proc
busybox mount -t devtmpfs dev /dev
for module in /modules/*; do busybox insmod $module; done
busybox ip link set lo up
busybox ip addr add $vm_address dev eth0
busybox ip link set eth0 up
stream &
echo "${upLine}"
while :; do busybox sh; done
`;

/** A root file system in memory: busybox (static), the modules, the guest program. @throws Error if one is missing */
export async function initramfs(modules: readonly string[]): Promise<Uint8Array> {
  const program = fileURLToPath(new URL('./program/stream', import.meta.url));
  const entries: ArchiveEntry[] = [
    { kind: 'directory', path: 'bin' },
    { kind: 'directory', path: 'modules' },
    file('init', Buffer.from(init), true),
    file('bin/busybox', await readBusybox(), true),
    file('bin/stream', await readFile(program), true),
  ];
  for (const module of modules)
    entries.push(file(`modules/${basename(module)}`, await readFile(module), false));
  return newcArchive(entries);
}

function file(path: string, content: Uint8Array, executable: boolean): ArchiveEntry {
  return { kind: 'file', path, content, executable };
}

async function readBusybox(): Promise<Uint8Array> {
  try {
    return await readFile(busybox);
  } catch {
    throw new Error(`${busybox}: not there; the guests need Debian's package busybox-static`);
  }
}
