import assert from 'node:assert/strict';
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { run } from '../../../src/linux/run.ts';
import type { Host } from './host.ts';
import { until } from './until.ts';

/** A host's libvirtd, and virsh to talk to it. */
export class Libvirtd {
  readonly #host: Host;
  readonly #migrationAddress: string;

  private constructor(host: Host, migrationAddress: string) {
    this.#host = host;
    this.#migrationAddress = migrationAddress;
  }

  /** @param uuid the host's; two of one machine would take each other for the same. @throws Error */
  static async start(host: Host, uuid: string, migrationAddress: string): Promise<Libvirtd> {
    const libvirtd = new Libvirtd(host, migrationAddress);
    libvirtd.#configure(uuid);
    const preload = `LD_PRELOAD=${await netlinkPort(host.directory)}`;
    const daemon = host.start('libvirtd', [
      'env',
      preload,
      'libvirtd',
      '--config',
      libvirtd.#file('libvirtd.conf'),
    ]);
    await until('libvirtd answers', () => {
      assert.equal(
        daemon.exitCode,
        null,
        `libvirtd on ${host.namespace} ended; see ${host.directory}/libvirtd.log`,
      );
      return existsSync(libvirtd.#file('libvirt-sock')) && libvirtd.#answers();
    });
    return libvirtd;
  }

  /** Runs virsh and returns what it prints. @throws CommandError with libvirt's own words */
  virsh(...args: readonly string[]): Promise<string> {
    return run('virsh', ['--quiet', '--connect', this.#uri, ...args]);
  }

  /** Starts a domain that is forgotten when it ends. @throws CommandError */
  async create(xml: string): Promise<void> {
    const path = this.#file('domain.xml');
    writeFileSync(path, xml);
    await this.virsh('create', path);
  }

  /** Moves a running domain to another host. @throws CommandError */
  async migrate(domain: string, to: Libvirtd): Promise<void> {
    const by = `tcp://${to.#migrationAddress}`;
    await this.virsh('migrate', '--live', domain, to.#uri, '--migrateuri', by);
  }

  /**
   * Holds domains that have stopped, by libvirt's hook, before their NICs are given back (and so de-associated), until
   * the returned function is called.
   */
  holdStopped(): () => void {
    writeFileSync(this.#file('hold'), '');
    return () => rmSync(this.#file('hold'));
  }

  get #uri(): string {
    return `qemu+unix:///system?socket=${this.#file('libvirt-sock')}`;
  }

  #answers(): Promise<boolean> {
    return this.virsh('uri').then(
      () => true,
      () => false,
    );
  }

  #file(name: string): string {
    return join(this.#host.directory, name);
  }

  #configure(uuid: string): void {
    const { directory } = this.#host;
    const write = (name: string, lines: readonly string[], mode = 0o600) =>
      writeFileSync(join(directory, name), `${lines.join('\n')}\n`, { mode });
    mkdirSync(join(directory, 'etc', 'hooks'), { recursive: true });
    write('libvirtd.conf', [
      'auth_unix_rw = "none"',
      `unix_sock_dir = "${directory}"`,
      `host_uuid = "${uuid}"`,
      'log_filters = "1:util.netdevvport"',
      `log_outputs = "1:file:${join(directory, 'libvirtd.debug')}"`,
    ]);
    // no cgroups, security labels and log daemon: these are the machine's, not the host's
    write('etc/qemu.conf', [
      'user = "root"',
      'group = "root"',
      'security_driver = "none"',
      'namespaces = []',
      'cgroup_controllers = []',
      'dynamic_ownership = 0',
      'remember_owner = 0',
      'stdio_handler = "file"',
      `migration_address = "${this.#migrationAddress}"`,
    ]);
    const hook = [
      '#!/bin/sh',
      'cat >/dev/null',
      `[ "$2" != stopped ] || while [ -e ${this.#file('hold')} ]; do sleep 0.02; done`,
    ];
    write('etc/hooks/qemu', hook, 0o700);
  }
}

/** Compiles netlink-port.c; what libvirt 9.0 needs it for is said there. @throws CommandError */
async function netlinkPort(directory: string): Promise<string> {
  const source = fileURLToPath(new URL('./netlink-port.c', import.meta.url));
  const library = join(directory, 'netlink-port.so');
  await run('clang-14', ['-shared', '-fPIC', '-O2', '-Wall', '-Werror', '-o', library, source]);
  return library;
}
