import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { guestKernel } from './kernel.ts';
import { initramfs } from './initramfs.ts';

/** What guests boot from. */
export interface GuestImages {
  readonly kernel: string;
  readonly initramfs: string;
}

/** Gets the kernel ready and makes the initramfs, in `directory`. @throws CommandError, Error if something is missing */
export async function guestImages(directory: string, say: (line: string) => void): Promise<GuestImages> {
  const { vmlinux, modules } = await guestKernel(say);
  const path = join(directory, 'initramfs');
  await mkdir(directory, { recursive: true });
  await writeFile(path, await initramfs(modules));
  return { kernel: vmlinux, initramfs: path };
}
