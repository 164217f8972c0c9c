import { constants, openSync, rmSync } from 'node:fs';
import type { MacAddress } from '../../domain/mac-address.ts';
import { setInterfaceUp } from '../../linux/net/interfaces.ts';
import { inNamespace } from '../../linux/net/namespace.ts';
import { ip, run } from '../../linux/run.ts';
import { setNetworkParameter } from '../../linux/net/sysctl.ts';

/**
 * A VM's NIC on its host: a macvtap in VEPA mode on the uplink. It is made down. While it is up, it takes frames and
 * the host may speak with the VM's address, so at a migration's destination it stays down until the VM runs there.
 */
export class Macvtap {
  readonly #namespace: string;
  readonly #name: string;

  private constructor(namespace: string, name: string) {
    this.#namespace = namespace;
    this.#name = name;
  }

  static async create(namespace: string, uplink: string, name: string, mac: MacAddress): Promise<Macvtap> {
    await ip(namespace, [`link add link ${uplink} name ${name} address ${mac} type macvtap mode vepa`]);
    // the host's own IPv6 would introduce itself with the VM's address
    inNamespace(namespace, () => setNetworkParameter(`ipv6/conf/${name}/disable_ipv6`, 1));
    return new Macvtap(namespace, name);
  }

  /**
   * Its character device, opened: a file descriptor for the caller to close. /dev/tapN will not do: N is an interface
   * index of the namespace, and /dev is everybody's; so a node of our own at `path` is made and removed.
   */
  async open(path: string): Promise<number> {
    const print = ['sh', '-c', 'cat /sys/class/net/$0/tap*/dev', this.#name];
    const device = await run('ip', ['netns', 'exec', this.#namespace, ...print]);
    await run('mknod', ['-m', '600', path, 'c', ...device.trim().split(':')]);
    try {
      return openSync(path, constants.O_RDWR | constants.O_NONBLOCK);
    } finally {
      rmSync(path, { force: true });
    }
  }

  setUp(up: boolean): void {
    inNamespace(this.#namespace, () => setInterfaceUp(this.#name, up));
  }

  async remove(): Promise<void> {
    await ip(this.#namespace, [`link delete ${this.#name}`]);
  }
}
