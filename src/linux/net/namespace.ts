import { existsSync, readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { check, libc } from '../libc.ts';
import { run } from '../run.ts';
import { silenceIpv6 } from './sysctl.ts';

const directory = '/run/netns';
const ownNamespace = '/proc/thread-self/ns/net';
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
  return inNamespaceAt(namespacePath(name), body);
}

/** `inNamespace` for a path of any namespace; `body` is handed a descriptor of the one outside. @throws SystemError */
export function inNamespaceAt<T>(path: string, body: (outside: number) => T): T {
  const { open, close, setns } = libc();
  const outside = check(open(ownNamespace, closeOnExec), 'open', 'the own network namespace');
  try {
    const inside = check(open(path, closeOnExec), 'open', `network namespace ${path}`);
    try {
      check(setns(inside, newNetworkNamespace), 'setns', path);
    } finally {
      close(inside);
    }
    try {
      return body(outside);
    } finally {
      check(setns(outside, newNetworkNamespace), 'setns', 'back');
    }
  } finally {
    close(outside);
  }
}

/** The network namespaces of this machine that have a name or a process, without this thread's own: a path of each by its inode. */
export function otherNamespaces(): Map<number, string> {
  const found = new Map<number, string>();
  const note = (path: string): void => {
    const inode = inodeOf(path);
    if (inode !== null && !found.has(inode)) found.set(inode, path);
  };
  if (existsSync(directory)) for (const name of readdirSync(directory)) note(namespacePath(name));
  for (const pid of readdirSync('/proc')) if (/^\d+$/.test(pid)) note(`/proc/${pid}/ns/net`);
  found.delete(statSync(ownNamespace).ino);
  return found;
}

/** Null for one that has gone meanwhile, and for a file that is none. */
function inodeOf(path: string): number | null {
  try {
    return statSync(path).ino;
  } catch {
    return null;
  }
}

/** What the kernel calls this thread's namespace (SO_NETNS_COOKIE); nobody else is ever called so. @throws SystemError */
export function namespaceCookie(): bigint {
  const { socket, getsockopt, close } = libc();
  const [socketLevel, optionCookie] = [1, 71];
  const fd = check(socket(2, 2, 0), 'socket', 'for the namespace');
  try {
    const [value, length] = [new Uint8Array(8), Uint8Array.of(8, 0, 0, 0)];
    check(getsockopt(fd, socketLevel, optionCookie, value, length), 'getsockopt', 'SO_NETNS_COOKIE');
    return new DataView(value.buffer).getBigUint64(0, true);
  } finally {
    close(fd);
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
