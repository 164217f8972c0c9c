import { existsSync } from 'node:fs';
import { watchMonitor, type MonitorOptions, type MonitorWatch } from './monitor-watcher.ts';
import { QmpError } from './qmp-client.ts';

export interface AttendantOptions extends Pick<
  MonitorOptions,
  'fallbackName' | 'emit' | 'now' | 'slowMs' | 'nicsEveryMs'
> {
  /** Called with one line, once for each thing that is wrong with the monitor. */
  readonly problem: (message: string) => void;
  /** Called once, when there is no monitor any more. */
  readonly ended: () => void;
}

/** In ms. QEMU binds its socket a moment before it listens; one that nobody serves may be left over from a killed VM. */
const pauses = { first: 5, most: 5000 };
/** Nobody serves it: left over from a VM that is no more or ends right now, or not served yet. */
const unserved = new Set(['ENOENT', 'ECONNREFUSED', 'ECONNRESET', 'EPIPE', 'EOF']);

/**
 * Attends to one monitor socket for as long as its file is there: QEMU may not listen yet, or may not greet for minutes
 * while it makes its memory ready; and another QEMU may take the file's place when this one has ended.
 */
export class Attendant {
  readonly #path: string;
  readonly #options: AttendantOptions;
  readonly #told = new Set<string>();
  readonly #giveUp = new AbortController();
  #pause = pauses.first;
  #wake: (() => void) | null = null;
  #watcher: MonitorWatch | null = null;
  /** its connection ended, and perhaps not its VM */
  #lost: MonitorWatch | null = null;

  constructor(path: string, options: AttendantOptions) {
    this.#path = path;
    this.#options = options;
  }

  attend(): void {
    void this.#run();
  }

  /** The file has changed: another QEMU may serve it by now. */
  lookAgain(): void {
    this.#pause = pauses.first;
    this.#wake?.();
  }

  close(): void {
    this.#giveUp.abort();
    this.#watcher?.close();
    this.#wake?.();
  }

  async #run(): Promise<void> {
    do {
      try {
        await this.#watchToItsEnd();
      } catch (error) {
        if (!(error instanceof QmpError)) throw error;
        if (this.#giveUp.signal.aborted) return;
        if (error.code === null || !unserved.has(error.code)) this.#tell(error.message);
        else this.#bury();
      }
      await this.#wait();
    } while (!this.#giveUp.signal.aborted && existsSync(this.#path));
    if (this.#giveUp.signal.aborted) return;
    this.#bury();
    this.#options.ended();
  }

  #bury(): void {
    this.#lost?.gone();
    this.#lost = null;
  }

  async #watchToItsEnd(): Promise<void> {
    const { emit, problem, fallbackName, now, slowMs, nicsEveryMs } = this.#options;
    const { promise, resolve } = Promise.withResolvers<QmpError>();
    const { signal } = this.#giveUp;
    const watcher = await watchMonitor(this.#path, {
      fallbackName,
      now,
      signal,
      emit: (event) => {
        if (!signal.aborted) emit(event);
      },
      ended: resolve,
      slow: (message) => this.#tell(message),
      ...(slowMs !== undefined && { slowMs }),
      ...(nicsEveryMs !== undefined && { nicsEveryMs }),
    });
    this.#told.clear();
    this.#lost = null;
    this.#watcher = watcher;
    const reason = await promise;
    this.#watcher = null;
    if (reason.code !== null) {
      this.#pause = pauses.first;
      return;
    }
    this.#lost = watcher;
    problem(`${reason.message}; attached to again`);
  }

  #tell(message: string): void {
    if (this.#told.has(message)) return;
    this.#told.add(message);
    this.#options.problem(message);
  }

  /** A pause that grows, unless somebody wakes it. */
  #wait(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, this.#pause);
    this.#pause = Math.min(this.#pause * 2, pauses.most);
    this.#wake = resolve;
    return promise.finally(() => {
      clearTimeout(timer);
      this.#wake = null;
    });
  }
}
