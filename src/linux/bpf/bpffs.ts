import { check, libc } from '../libc.ts';

/** Mounts a bpffs on the directory. @throws SystemError */
export function mountBpffs(directory: string): void {
  check(libc().mount('bpf', directory, 'bpf', 0, null), 'mount of bpffs on', directory);
}

/** @throws SystemError */
export function unmountBpffs(directory: string): void {
  const detach = 2;
  check(libc().umount2(directory, detach), 'unmount of', directory);
}
