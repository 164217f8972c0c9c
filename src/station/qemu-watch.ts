import type { HypervisorEvent } from '../hypervisors/event.ts';
import { watchDirectory, type DirectoryWatcher } from '../hypervisors/qemu/directory-watcher.ts';
import { now } from '../linux/clock.ts';
import type { StationConfig } from './config.ts';

/** Watches the QEMUs of one directory; when another one is named, those of the old stay watched until they end. */
export class QemuWatch {
  readonly #emit: (event: HypervisorEvent) => void;
  readonly #problem: (message: string) => void;
  readonly #watchers: DirectoryWatcher[] = [];
  #config: StationConfig['qemu'];

  constructor(emit: (event: HypervisorEvent) => void, problem: (message: string) => void) {
    this.#emit = emit;
    this.#problem = problem;
  }

  /** @throws Invalid if the directory cannot be watched; what was watched before still is */
  watch(config: StationConfig['qemu']): void {
    if (config?.directory === this.#config?.directory && config?.suffix === this.#config?.suffix) return;
    const watcher = config && this.#start(config);
    this.#watchers.at(-1)?.retire();
    this.#config = config;
    if (watcher) this.#watchers.push(watcher);
  }

  #start({ directory, suffix }: NonNullable<StationConfig['qemu']>): DirectoryWatcher {
    return watchDirectory(directory, { suffix, emit: this.#emit, problem: this.#problem, now });
  }

  close(): void {
    for (const watcher of this.#watchers.splice(0)) watcher.close();
  }
}
