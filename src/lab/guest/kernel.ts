import { existsSync } from 'node:fs';
import { copyFile, mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CommandError, run } from '../../linux/run.ts';
import { unpackKernel } from './bz-image.ts';
import { cacheDirectory } from './cache.ts';

export interface GuestKernel {
  /** an uncompressed ELF kernel */
  readonly vmlinux: string;
  /** the kernel modules that the guest needs, in the order to load them */
  readonly modules: readonly string[];
}

const metaPackage = 'linux-image-cloud-amd64';

/** below kernel/, each after what it needs */
const modules = [
  'drivers/virtio/virtio_ring',
  'drivers/virtio/virtio',
  'drivers/virtio/virtio_pci_legacy_dev',
  'drivers/virtio/virtio_pci_modern_dev',
  'drivers/virtio/virtio_pci',
  'net/core/failover',
  'drivers/net/net_failover',
  'drivers/net/virtio_net',
];

/**
 * Debian's cloud kernel, extracted and never installed; taken from the cache if it is there.
 * @param say takes a line of progress for each step that takes time
 * @throws CommandError if the package cannot be had
 */
export async function guestKernel(say: (line: string) => void): Promise<GuestKernel> {
  const directory = join(cacheDirectory(), 'guest-kernel');
  if (!existsSync(directory)) await fetchKernel(directory, say);
  const names = await readdir(join(directory, 'modules'));
  return {
    vmlinux: join(directory, 'vmlinux'),
    modules: names.sort().map((name) => join(directory, 'modules', name)),
  };
}

/** Makes `directory` as a whole or not at all, also if two do it at a time. */
async function fetchKernel(directory: string, say: (line: string) => void): Promise<void> {
  await mkdir(cacheDirectory(), { recursive: true });
  const work = await mkdtemp(`${directory}-`);
  try {
    const name = await currentPackage(say);
    say(`lab: downloading ${name} (the guests' kernel)`);
    await run('sh', ['-c', 'cd "$1" && exec apt-get -qq download "$2"', 'sh', work, name]);
    say('lab: extracting the guests’ kernel');
    const archive = (await readdir(work)).find((file) => file.endsWith('.deb'));
    if (!archive) throw new CommandError(`apt-get download ${name}: no package came`);
    const tree = join(work, 'tree');
    await run('dpkg-deb', ['-x', join(work, archive), tree]);
    const ready = join(work, 'ready');
    await pick(tree, ready);
    await rename(ready, directory).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error; // another was quicker
    });
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/** The package that the meta package stands for today, after an update of the lists where there are none. */
async function currentPackage(say: (line: string) => void): Promise<string> {
  const found = await dependency();
  if (found) return found;
  say('lab: updating the package lists');
  await run('apt-get', ['-qq', 'update']);
  const foundNow = await dependency();
  if (foundNow) return foundNow;
  throw new CommandError(`${metaPackage}: no such package; the guests need Debian's cloud kernel for amd64`);
}

async function dependency(): Promise<string | undefined> {
  try {
    return /Depends: (linux-image-\S+)/.exec(await run('apt-cache', ['depends', metaPackage]))?.[1];
  } catch (error) {
    if (error instanceof CommandError && error.message.includes('No packages found')) return undefined;
    throw error;
  }
}

async function pick(tree: string, ready: string): Promise<void> {
  const boot = await readdir(join(tree, 'boot'));
  const image = boot.find((file) => file.startsWith('vmlinuz-'));
  if (!image) throw new CommandError('the kernel package has no boot/vmlinuz-*');
  const version = image.slice('vmlinuz-'.length);
  await mkdir(join(ready, 'modules'), { recursive: true });
  await writeFile(join(ready, 'vmlinux'), unpackKernel(await readFile(join(tree, 'boot', image))));
  for (const [i, module] of modules.entries()) {
    const from = join(tree, 'lib/modules', version, 'kernel', `${module}.ko`);
    await copyFile(
      from,
      join(ready, 'modules', `${String(i).padStart(2, '0')}-${module.split('/').at(-1)}.ko`),
    );
  }
}
