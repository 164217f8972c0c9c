import { spawn, type ChildProcess } from 'node:child_process';
import { openSync, closeSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { join } from 'node:path';
import { Failure } from '../base/failure.ts';
import { nsenter } from '../linux/net/namespace.ts';
import { endOf } from './ended.ts';

const executable = fileURLToPath(new URL('../../hairpin', import.meta.url));
const graceMs = 3000;

/** A lab's process did not start or did not stay; the message has its own last words. */
export class ProcessError extends Failure {
  override name = 'ProcessError';
}

/**
 * The agents of a lab: `hairpin manager|bridge|station`, each in its namespace, each with a log of its own. An agent
 * says that it is ready over the IPC channel, and ends by itself when that channel closes, that is, with the lab.
 */
export class Processes {
  readonly #directory: string;
  readonly #running = new Map<string, ChildProcess>();

  /** Logs go to `directory`/NAME.log. */
  constructor(directory: string) {
    this.#directory = directory;
  }

  /** Null while it does not run. */
  pid(name: string): number | null {
    const child = this.#running.get(name);
    return child && endOf(child) === null ? (child.pid ?? null) : null;
  }

  /** Those that ended though nobody stopped them: "sw (SIGKILL)". */
  ended(): string[] {
    return Array.from(this.#running, ([name, child]) => [name, endOf(child)] as const).flatMap(
      ([name, how]) => (how === null ? [] : [`${name} (${how})`]),
    );
  }

  /** Starts an agent and waits until it is ready. @throws ProcessError with its last words */
  async start(name: string, namespace: string | null, args: readonly string[]): Promise<unknown> {
    const [command, ...rest] = namespace ? nsenter(namespace, [executable, ...args]) : [executable, ...args];
    const path = join(this.#directory, `${name}.log`);
    const log = openSync(path, 'a');
    const child = spawn(command, rest, { stdio: ['ignore', log, log, 'ipc'] });
    closeSync(log);
    this.#running.set(name, child);
    return new Promise((resolve, reject) => {
      const failed = () => reject(new ProcessError(`${name} did not start: ${lastWords(path)}`));
      child.once('error', failed);
      child.once('exit', failed);
      child.once('message', (message) => {
        child.off('exit', failed);
        resolve(message);
      });
    });
  }

  /** Ends an agent: politely unless a signal is named, and by force where that does not help in time. */
  async stop(name: string, signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    const child = this.#running.get(name);
    this.#running.delete(name);
    if (!child || endOf(child) !== null) return;
    const exited = new Promise((resolve) => child.once('exit', resolve));
    child.kill(signal);
    const force = setTimeout(() => child.kill('SIGKILL'), graceMs);
    await exited;
    clearTimeout(force);
  }

  /** Ends all, in the reverse order of their start. */
  async stopAll(): Promise<void> {
    for (const name of [...this.#running.keys()].toReversed()) await this.stop(name);
  }
}

/** The last line of a log that is no JSON, which is what the command line prints when it gives up. */
function lastWords(path: string): string {
  const lines = readFileSync(path, 'utf8').trim().split('\n');
  return (lines.findLast((line) => !line.startsWith('{')) ?? lines.at(-1) ?? 'no word').replace(
    /^hairpin: /,
    '',
  );
}
