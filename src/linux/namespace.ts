import { existsSync, readFileSync, readlinkSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { check, libc } from './libc.ts';
import { run } from './run.ts';
import { silenceIpv6 } from './sysctl.ts';

const directory = '/run/netns';
const closeOnExec = 0o2000000;
const newNetworkNamespace = 0x40000000;

export function namespacePath(name: string): string {
  return `${directory}/${name}`;
}

export function namespaceExists(name: string): boolean {
  return existsSync(namespacePath(name));
}

/** A named network namespace with its loopback up. @throws CommandError if there is one of that name */
export async function createNamespace(name: string): Promise<void> {
  await run('ip', ['netns', 'add', name]);
  await run('ip', ['-n', name, 'link', 'set', 'lo', 'up']);
}

/** One without IPv6, so that a switch's port or a host's uplink in it has nothing of its own to say. @throws CommandError */
export async function createQuietNamespace(name: string): Promise<void> {
  await createNamespace(name);
  inNamespace(name, silenceIpv6);
}

/** Removes the namespace and all links in it; nothing if there is none. */
export async function deleteNamespace(name: string): Promise<void> {
  if (namespaceExists(name)) await run('ip', ['netns', 'delete', name]);
}

export async function listNamespaces(prefix: string): Promise<string[]> {
  if (!existsSync(directory)) return [];
  return (await readdir(directory)).filter((name) => name.startsWith(prefix));
}

/**
 * Runs `body` with the calling thread in the namespace; sockets it opens stay there. `body` must not await: the
 * thread is back outside when this returns.
 */
export function inNamespace<T>(name: string, body: () => T): T {
  const { open, close, setns } = libc();
  const outside = check(open('/proc/thread-self/ns/net', closeOnExec), 'open', 'the own network namespace');
  try {
    const inside = check(open(namespacePath(name), closeOnExec), 'open', `network namespace ${name}`);
    try {
      check(setns(inside, newNetworkNamespace), 'setns', name);
    } finally {
      close(inside);
    }
    try {
      return body();
    } finally {
      check(setns(outside, newNetworkNamespace), 'setns', 'back');
    }
  } finally {
    close(outside);
  }
}

/**
 * Whether an ancestor of this process has other mounts, as under `ip netns exec` or in a sandbox of systemd's: what is
 * mounted here then goes with the last process that sees it.
 */
export function hasMountsOfItsOwn(): boolean {
  const mounts = (pid: number) => readlinkSync(`/proc/${pid}/ns/mnt`);
  const parent = (pid: number) =>
    Number(/^PPid:\s*(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]);
  try {
    for (let pid = process.ppid; pid > 0; pid = parent(pid))
      if (mounts(pid) !== mounts(process.pid)) return true;
  } catch {
    // an ancestor that this process may not look into
  }
  return false;
}

/** The command line that runs a command in the namespace: by setns alone, so that /sys and mounts stay as they are. */
export function nsenter(name: string, command: readonly string[]): [string, ...string[]] {
  return ['nsenter', `--net=${namespacePath(name)}`, ...command];
}
