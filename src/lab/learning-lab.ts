import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { ip } from '../linux/run.ts';
import { learning } from './choreography.ts';
import { labStreams } from './kernel-streams.ts';
import type { LabOptions } from './lab.ts';
import { migrate, type MigrationRun } from './migrate.ts';
import { labDirectory } from './place.ts';
import { hosts, networkPort, parseHost, vms } from './scenario.ts';
import { sweep } from './sweep.ts';
import { buildTopology, namesOf, type LabNames } from './topology.ts';
import { vmFactory } from './vm-factory.ts';
import type { LabVm } from './vm.ts';

/**
 * The lab's hosts and one of its VMs at a plain learning bridge: no agents, no policy; frames go where their
 * destination was last heard, and back out of the port they came from (hairpin mode).
 */
export class LearningLab {
  readonly #options: Pick<LabOptions, 'vms' | 'progress'>;
  readonly #names: LabNames;
  readonly #directory: string;
  #vm: LabVm | null = null;

  constructor(options: Pick<LabOptions, 'id' | 'vms' | 'progress'>) {
    this.#options = options;
    this.#names = namesOf(options.id);
    this.#directory = labDirectory(options.id);
  }

  async up(): Promise<void> {
    await sweep(this.#names, this.#directory);
    try {
      const monitors = (host: string) => join(this.#directory, `${host}-monitors`);
      for (const { name } of hosts) mkdirSync(monitors(name), { recursive: true, mode: 0o700 });
      await buildTopology(this.#names);
      const ports = hosts.map(({ port }) => port);
      await ip(this.#names.bridge, [
        'link add name br0 type bridge',
        ...[...ports, networkPort].map((port) => `link set ${port} master br0`),
        ...ports.map((port) => `link set ${port} type bridge_slave hairpin on`),
        'link set br0 up',
      ]);
      const { directory, names } = { directory: this.#directory, names: this.#names };
      const newVm = await vmFactory(this.#options, { directory, names, monitors });
      this.#vm = newVm(vms[0]!);
      await this.#vm.start();
    } catch (error) {
      await this.down();
      throw error;
    }
  }

  async down(): Promise<void> {
    await this.#vm?.stop();
    await sweep(this.#names, this.#directory);
  }

  /** Where its VM runs. */
  get host(): LabVm['host'] {
    return this.#vm?.host ?? null;
  }

  /** Moves its VM. */
  migrate(to: string, silent: boolean): Promise<MigrationRun> {
    const ground = {
      openStreams: labStreams.bind(null, this.#names),
      choreograph: learning,
    };
    return migrate(ground, this.#vm!, parseHost(to), { strategy: 'learning', silent });
  }
}
