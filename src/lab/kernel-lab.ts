import { mkdirSync, writeFileSync } from 'node:fs';
import { ApiClient } from '../client/client.ts';
import { callLocal } from '../local/socket-client.ts';
import type { Strategy } from '../domain/migration.ts';
import type { HypervisorEvent } from '../hypervisors/event.ts';
import { now } from '../linux/clock.ts';
import type { Outcome } from '../station/asking.ts';
import { garp, profileFirst } from './choreography.ts';
import type { Toolstack } from './toolstack.ts';
import { bridgeConfig, filesOf, managerConfig, stationConfig, type LabFiles } from './agent-configs.ts';
import { writeKeys } from './keys.ts';
import { endedText, refuseIfUp, vmStatus, type Lab, type LabOptions, type LabStatus } from './lab.ts';
import { LabError } from './lab-error.ts';
import { migrate, type MigrationGround, type MigrationRun } from './migrate.ts';
import { labDirectory } from './place.ts';
import { populate } from './populate.ts';
import { Processes } from './processes.ts';
import { bridgeName, hosts, measurable, parseHost, vms, type HostName } from './scenario.ts';
import { labStreams } from './kernel-streams.ts';
import { sweep } from './sweep.ts';
import { buildTopology, namesOf, type LabNames } from './topology.ts';
import { vmFactory } from './vm-factory.ts';
import type { LabVm } from './vm.ts';

/** Promise.all that settles only when all have: a failure does not race with what the others still set up. */
async function together<const T extends readonly Promise<unknown>[]>(
  promises: T,
): Promise<{ -readonly [K in keyof T]: Awaited<T[K]> }> {
  await Promise.allSettled(promises);
  return Promise.all(promises);
}

/** The agents of the lab: the manager, the bridge, and a station for each host. */
export type AgentName = 'manager' | typeof bridgeName | HostName;

/** The laboratory on the kernel: namespaces, real links, real agents in processes of their own. */
export class KernelLab implements Lab {
  readonly names: LabNames;
  readonly directory: string;
  readonly api: ApiClient;
  readonly #options: LabOptions;
  readonly #files: LabFiles;
  readonly #processes: Processes;
  readonly #vms: LabVm[] = [];
  #manager = '';

  constructor(options: LabOptions) {
    this.#options = options;
    this.names = namesOf(options.id);
    this.directory = labDirectory(options.id);
    this.#files = filesOf(this.directory);
    this.#processes = new Processes(this.directory);
    this.api = new ApiClient(`unix:${this.#files.managerSocket}`);
  }

  async up(): Promise<void> {
    const { id, progress } = this.#options;
    await refuseIfUp(id);
    await sweep(this.names, this.directory);
    try {
      mkdirSync(this.directory, { recursive: true, mode: 0o700 });
      writeKeys(this.#files);
      progress('namespaces and links');
      const [, ready] = await together([buildTopology(this.names), this.startAgent('manager')]);
      this.#manager = (ready as { addresses: string[] }).addresses[0]!;
      await populate(this.api);
      progress('manager, bridge and stations');
      for (const { name } of hosts) mkdirSync(this.#files.monitors(name));
      await together([this.startAgent(bridgeName), ...hosts.map(({ name }) => this.startAgent(name))]);
      const { directory, names } = this;
      const newVm = await vmFactory(this.#options, { directory, names, monitors: this.#files.monitors });
      progress(`virtual machines (${this.#options.vms})`);
      await together(vms.map((plan) => this.#startVm(newVm(plan))));
    } catch (error) {
      await this.down();
      throw error;
    }
  }

  async down(): Promise<void> {
    this.api.close();
    // what one of them complains of does not keep the others, and the sweep takes what is left
    await Promise.allSettled(this.#vms.map((vm) => vm.stop()));
    await this.#processes.stopAll();
    await sweep(this.names, this.directory);
  }

  status(): LabStatus {
    return {
      kind: 'kernel',
      vmKind: this.#options.vms,
      manager: this.#manager,
      processes: ['manager', bridgeName, ...hosts.map(({ name }) => name)].map((name) => ({
        name,
        pid: this.#processes.pid(name),
      })),
      ended: this.#ended(),
      vms: this.#vms.map(vmStatus),
    };
  }

  async migrate(name: string, to: string, strategy: Strategy, silent = false): Promise<MigrationRun> {
    const vm = this.vm(name);
    const host = parseHost(to);
    this.#insistOnAll();
    const toolstack: Toolstack = {
      api: this.api,
      announce: (host, event) => this.#announce(host, event),
      timestamp: now,
    };
    const ground: MigrationGround = {
      openStreams: (plan) => labStreams(this.names, plan),
      choreograph: (vm, hosts) =>
        strategy === 'garp' ? garp(toolstack, vm, hosts, silent) : profileFirst(toolstack, vm, hosts),
    };
    try {
      return await migrate(ground, vm, host, { strategy, silent });
    } catch (error) {
      this.#insistOnAll(); // or that is why
      throw error;
    }
  }

  #ended(): string[] {
    const vms = this.#vms.flatMap(({ plan, ended }) =>
      ended === null ? [] : [`VM ${plan.name} (${ended})`],
    );
    return [...this.#processes.ended(), ...vms];
  }

  /** @throws LabError if one has ended */
  #insistOnAll(): void {
    const ended = this.#ended();
    if (ended.length) throw new LabError(endedText(ended));
  }

  /** @throws Invalid for a VM that the lab does not have, or that its peer does not hear */
  vm(name: string): LabVm {
    return measurable(this.#vms, name);
  }

  /**
   * Starts an agent (again), its configuration changed at the top by `changes`; resolves with what it says of itself
   * when it is ready.
   */
  startAgent(name: AgentName, changes: object = {}): Promise<unknown> {
    const path = this.#files.config(name);
    if (name === 'manager') {
      const config = managerConfig(this.#files, this.#options.listen);
      writeFileSync(path, JSON.stringify({ ...config, ...changes }, null, 2));
      return this.#processes.start(name, null, ['manager', '--config', path]);
    }
    const isBridge = name === bridgeName;
    const config = isBridge ? bridgeConfig(this.#files) : stationConfig(this.#files, name);
    writeFileSync(path, JSON.stringify({ ...config, ...changes }, null, 2));
    return this.#processes.start(name, isBridge ? this.names.bridge : this.names.host(name), [
      isBridge ? 'bridge' : 'station',
      '--config',
      path,
    ]);
  }

  stopAgent(name: AgentName, signal: NodeJS.Signals): Promise<void> {
    return this.#processes.stop(name, signal);
  }

  async #startVm(vm: LabVm): Promise<void> {
    this.#vms.push(vm);
    await vm.start();
    const { name, mac, host } = vm.plan;
    const outcome = await this.#announce(host, { kind: 'started', vm: name, macs: [mac], at: now() });
    if (!outcome.granted) throw new LabError(`VM ${name}: ${outcome.reason}`);
  }

  async #announce(host: HostName, { kind, vm, macs, at }: HypervisorEvent): Promise<Outcome> {
    return (await callLocal(this.#files.control(host), 'announce', {
      event: kind,
      vm,
      macs,
      at,
    })) as Outcome;
  }
}
