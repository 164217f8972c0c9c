import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { now } from '../linux/clock.ts';
import { setInterfaceUp } from '../linux/net/interfaces.ts';
import { PacketSocket } from '../linux/net/packet-socket.ts';
import { createNamespace, deleteNamespace, inNamespace, nsenter } from '../linux/net/namespace.ts';
import { ip, run } from '../linux/run.ts';
import { setNetworkParameter } from '../linux/net/sysctl.ts';
import { prefixLength, uplink, type HostName, type LabVmPlan } from './scenario.ts';
import { endOf } from './ended.ts';
import { LabError } from './lab-error.ts';
import { move } from './move.ts';
import { gratuitousArp } from './stream/frames.ts';
import { vmSideCommand } from './stream/vm-side-command.ts';
import type { LabNames } from './topology.ts';
import type { LabVm, Manner, MigrationHooks, Stop } from './vm.ts';

/**
 * A VM that is a network namespace with one process in it. Its NIC at a host is a macvlan in VEPA mode on the host's
 * uplink; while it migrates it has one at each host. Its memory is the process, which is stopped (SIGSTOP) like a virtual
 * CPU; what comes to the NIC at the destination meanwhile waits in the process's socket, as in the queue of a tap.
 */
export class NetnsVm implements LabVm {
  readonly plan: LabVmPlan;
  readonly #names: LabNames;
  readonly watched = false;
  #host: HostName | null = null;
  #process: ChildProcess | null = null;

  constructor(names: LabNames, plan: LabVmPlan) {
    this.#names = names;
    this.plan = plan;
  }

  get host(): HostName | null {
    return this.#host;
  }

  get ended(): string | null {
    return this.#process && endOf(this.#process);
  }

  get #namespace(): string {
    return this.#names.vm(this.plan.name);
  }

  async start(): Promise<void> {
    await createNamespace(this.#namespace);
    await this.#plug(this.plan.host);
    this.#setLink(this.plan.host, true);
    this.#announceAt(this.plan.host);
    const [command, ...args] = nsenter(this.#namespace, vmSideCommand());
    this.#process = spawn(command, args, { stdio: 'ignore' });
    this.#host = this.plan.host;
  }

  /** Nobody watches it: there is nothing to see. */
  reveal(): void {}

  announceItself(): void {
    if (this.#host) this.#announceAt(this.#host);
  }

  async migrate(to: HostName, hooks: MigrationHooks, manner: Manner): Promise<Stop> {
    const from = this.#host;
    if (!from || from === to)
      throw new LabError(`VM ${this.plan.name} cannot move from ${from ?? 'nowhere'} to ${to}`);
    const stop = await move(
      {
        plug: async (host) => {
          await this.#plug(host);
          await this.#copyNeighbours(from, host);
        },
        unplug: (host) => ip(this.#namespace, [`link delete ${linkAt(host)}`]),
        open: (host) => this.#setLink(host, true),
        halt: () => this.#process?.kill('SIGSTOP'),
        disconnect: (host) => this.#setLink(host, false),
        connect: (host) => this.#setLink(host, true),
        proceed: () => this.#process?.kill('SIGCONT'),
        announceItself: (host) => this.#announceAt(host),
      },
      [from, to],
      hooks,
      manner,
      now,
    );
    this.#host = to;
    return stop;
  }

  async stop(): Promise<void> {
    this.#host = null;
    if (this.#process && endOf(this.#process) === null) {
      this.#process.kill('SIGKILL'); // a stopped process takes no other
      await once(this.#process, 'exit');
    }
    await deleteNamespace(this.#namespace);
  }

  /** A NIC at a host: down, with the VM's addresses; nothing there speaks for the VM before it runs there. */
  async #plug(host: HostName): Promise<void> {
    const link = linkAt(host);
    await ip(this.#names.host(host), [
      `link add link ${uplink} name ${this.plan.name}-${link} address ${this.plan.mac} type macvlan mode vepa`,
      `link set ${this.plan.name}-${link} netns ${this.#namespace} name ${link}`,
    ]);
    this.#setIpv6(host, false);
    await ip(this.#namespace, [`addr add ${this.plan.address}/${prefixLength} dev ${link}`]);
  }

  /** A guest says where it is when it finds its link up; without 802.1Qbg this is all that a switch learns of a move. */
  #announceAt(host: HostName): void {
    const socket = inNamespace(this.#namespace, () => new PacketSocket(linkAt(host)));
    socket.send(gratuitousArp(this.plan));
    socket.close();
    this.#setIpv6(host, true); // which introduces itself
  }

  #setIpv6(host: HostName, on: boolean): void {
    inNamespace(this.#namespace, () =>
      setNetworkParameter(`ipv6/conf/${linkAt(host)}/disable_ipv6`, on ? 0 : 1),
    );
  }

  /** A VM's ARP cache is a part of its memory, and moves with it. */
  async #copyNeighbours(from: HostName, to: HostName): Promise<void> {
    const listed = await run('ip', ['-n', this.#namespace, '-json', 'neigh', 'show', 'dev', linkAt(from)]);
    const known = (JSON.parse(listed || '[]') as { dst: string; lladdr?: string }[]).filter(
      ({ lladdr }) => lladdr,
    );
    if (known.length)
      await ip(
        this.#namespace,
        known.map(
          ({ dst, lladdr }) => `neigh replace ${dst} lladdr ${lladdr} dev ${linkAt(to)} nud reachable`,
        ),
      );
  }

  #setLink(host: HostName, up: boolean): void {
    inNamespace(this.#namespace, () => setInterfaceUp(linkAt(host), up));
  }
}

function linkAt(host: HostName): string {
  return `nic-${host}`;
}
