import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import { ApiError } from './api-error.ts';
import { backoff } from './backoff.ts';

/** So many calls wait for a manager that is away; the oldest are forgotten first. */
const limit = 10_000;

interface Waiting {
  readonly key: string | null;
  readonly call: () => Promise<unknown>;
}

/**
 * Tells the manager what happened, in order, while the agent goes on with its work: calls wait while the manager is
 * away and are made when it is back. What the manager refuses is given up, with one line to `refused`.
 */
export class Reporter {
  readonly #refused: (message: string) => void;
  readonly #stop = new AbortController();
  #queue: Waiting[] = [];
  #idle: Promise<void> = Promise.resolve();
  #running = false;

  constructor(refused: (message: string) => void) {
    this.#refused = refused;
  }

  /** With a `key`, the call takes the place of one under the same key that still waits: only the newest state counts. */
  tell(call: () => Promise<unknown>, key: string | null = null): void {
    if (key !== null) this.#queue = this.#queue.filter((waiting) => waiting.key !== key);
    this.#queue.push({ key, call });
    if (this.#queue.length > limit) this.#queue.shift();
    if (!this.#running) this.#idle = this.#run();
  }

  /** Makes the calls that still wait if the manager is there, and gives up the rest. */
  async close(graceMs = 500): Promise<void> {
    const deadline = setTimeout(() => this.#stop.abort(), graceMs);
    await this.#idle;
    clearTimeout(deadline);
  }

  async #run(): Promise<void> {
    this.#running = true;
    await nextTurn(); // who tells has more urgent things to do first
    let waits = backoff(Math.random);
    while (this.#queue.length && !this.#stop.signal.aborted) {
      const next = this.#queue.shift()!;
      try {
        await next.call();
        waits = backoff(Math.random);
      } catch (error) {
        if (!(error instanceof ApiError) || (error.status !== null && error.status < 500)) {
          this.#refused((error as Error).message);
          continue;
        }
        const overtaken = next.key !== null && this.#queue.some(({ key }) => key === next.key);
        if (!overtaken) this.#queue.unshift(next);
        await sleep(waits.next().value, undefined, { signal: this.#stop.signal }).catch(() => {});
      }
    }
    this.#running = false;
  }
}
