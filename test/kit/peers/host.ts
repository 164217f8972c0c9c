import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdirSync, openSync } from 'node:fs';
import { join } from 'node:path';
import {
  createQuietNamespace,
  deleteNamespace,
  namespaceExists,
  nsenter,
} from '../../../src/linux/net/namespace.ts';
import { run } from '../../../src/linux/run.ts';

/** What daemons keep for a whole machine, by where each host has its own. */
const ownDirectories = {
  run: '/run',
  etc: '/etc/libvirt',
  lib: '/var/lib/libvirt',
  log: '/var/log/libvirt',
  cache: '/var/cache/libvirt',
} as const;

/** Sees to a host's own view and then holds it until its standard input ends, with the process that made it. */
const hold = `
hostname "$1"
mount -t sysfs sysfs /sys
mount -t tmpfs tmpfs /dev/shm
${Object.entries(ownDirectories)
  .map(([name, path]) => `mount --bind "$2/${name}" ${path}`)
  .join('\n')}
echo ready
exec cat
`;

/**
 * A hypervisor host on this machine: namespaces of its own for network, mounts and host name, so that lldpad and
 * libvirtd, of which a machine has one each, run unmodified and beside those of another host. `remove` ends all of it;
 * its daemons end with this process also when that is killed, but guests are libvirt's children and stay.
 */
export class Host {
  readonly namespace: string;
  /** outside of what the host has of its own, so the same inside and outside */
  readonly directory: string;
  readonly #holder: ChildProcess;

  private constructor(namespace: string, directory: string, holder: ChildProcess) {
    this.namespace = namespace;
    this.directory = directory;
    this.#holder = holder;
  }

  /** `directory` must not be below /run. @throws CommandError, Error */
  static async create(namespace: string, directory: string): Promise<Host> {
    for (const name of Object.keys(ownDirectories)) mkdirSync(join(directory, name), { recursive: true });
    await createQuietNamespace(namespace);
    const [command, ...args] = nsenter(namespace, [
      'unshare',
      '--mount',
      '--uts',
      'sh',
      '-ec',
      hold,
      'sh',
      namespace,
      directory,
    ]);
    const holder = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'] });
    const ended = once(holder, 'exit').then(() => {
      throw new Error(`host ${namespace} did not get its own mounts`);
    });
    ended.catch(() => {}); // it ends with the host
    await Promise.race([once(holder.stdout, 'data'), ended]);
    return new Host(namespace, directory, holder);
  }

  /** Starts a daemon in the host; its output goes to NAME.log. It ends with the host, or with this process. */
  start(name: string, command: readonly string[]): ChildProcess {
    const log = openSync(join(this.directory, `${name}.log`), 'a');
    try {
      const [enter, ...args] = this.#entering(['setpriv', '--pdeathsig', 'KILL', ...command]);
      return spawn(enter, args, { stdio: ['ignore', log, log] });
    } finally {
      closeSync(log);
    }
  }

  /** Runs a command in the host to its end, and returns what it prints. @throws CommandError */
  run(command: readonly string[]): Promise<string> {
    const [enter, ...args] = this.#entering(command);
    return run(enter, args);
  }

  /** Ends whatever runs in the host, guests included, and removes its network. */
  async remove(): Promise<void> {
    if (!namespaceExists(this.namespace)) return;
    for (;;) {
      const pids = (await run('ip', ['netns', 'pids', this.namespace]))
        .split('\n')
        .filter(Boolean)
        .map(Number);
      if (!pids.length) break;
      for (const pid of pids) kill(pid);
    }
    await deleteNamespace(this.namespace);
  }

  #entering(command: readonly string[]): [string, ...string[]] {
    return ['nsenter', '--target', String(this.#holder.pid), '--net', '--mount', '--uts', ...command];
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // it has ended meanwhile
  }
}
