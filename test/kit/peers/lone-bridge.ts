import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { callLocal } from '../../../src/local/socket-client.ts';
import type { ShownBridge, ShownPort } from '../../../src/bridge/control/show.ts';
import { Processes } from '../../../src/lab/processes.ts';
import { libc } from '../../../src/linux/libc.ts';

const detached = 2; // MNT_DETACH

/** `hairpin bridge` by itself, in the namespace of its ports, and what it says of itself. */
export class LoneBridge {
  readonly #directory: string;
  readonly #processes: Processes;

  private constructor(directory: string) {
    this.#directory = directory;
    this.#processes = new Processes(directory);
  }

  /** `config`: of its file, without the name and the state directory. `directory` must exist. @throws ProcessError */
  static async start(namespace: string, directory: string, config: object): Promise<LoneBridge> {
    const bridge = new LoneBridge(directory);
    const path = join(directory, 'bridge.yaml');
    writeFileSync(path, JSON.stringify({ name: 'sw', stateDirectory: bridge.#state, ...config }, null, 2));
    await bridge.#processes.start('bridge', namespace, ['bridge', '--config', path]);
    return bridge;
  }

  /** One port, as `hairpin bridge show --json` has it. */
  async port(name: string): Promise<ShownPort> {
    const { ports } = (await callLocal(join(this.#state, 'control.sock'), 'show')) as ShownBridge;
    const port = ports.find((port) => port.name === name);
    if (!port) throw new Error(`the bridge has no port ${name}`);
    return port;
  }

  /** What it has logged, in order; `time` in ms since 1970. */
  log(): { readonly time: number; readonly msg: string }[] {
    const lines = readFileSync(join(this.#directory, 'bridge.log'), 'utf8').split('\n');
    return lines
      .filter((line) => line.startsWith('{'))
      .map((line) => JSON.parse(line) as { time: number; msg: string });
  }

  /** Ends it and its data plane. */
  async remove(): Promise<void> {
    await this.#processes.stopAll();
    libc().umount2(join(this.#state, 'bpf'), detached);
  }

  get #state(): string {
    return join(this.#directory, 'sw');
  }
}
