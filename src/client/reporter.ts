import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import { ApiError } from './api-error.ts';
import { backoff } from '../base/backoff.ts';

/** So many calls wait for a manager that is away; the oldest are forgotten first. */
const limit = 10_000;

/**
 * Tells the manager what happened, in order, while the agent goes on with its work: calls wait while the manager is
 * away and are made when it is back. What the manager refuses is given up, with one line to `refused`.
 */
export class Reporter {
  readonly #refused: (message: string) => void;
  readonly #stop = new AbortController();
  /** by key; a call without one is by a key of its own */
  readonly #queue = new Map<string | symbol, () => Promise<unknown>>();
  #idle: Promise<void> = Promise.resolve();
  #running = false;

  constructor(refused: (message: string) => void) {
    this.#refused = refused;
  }

  /** With a `key`, the call takes the place of one under the same key that still waits: only the newest state counts. */
  tell(call: () => Promise<unknown>, key: string | null = null): void {
    const under = key ?? Symbol();
    this.#queue.delete(under);
    this.#queue.set(under, call);
    if (this.#queue.size > limit) this.#queue.delete(this.#queue.keys().next().value!);
    if (!this.#running) this.#idle = this.#run();
  }

  /**
   * Makes the calls that still wait if the manager is there, and gives up the rest. A manager that is frozen answers not even
   * the call under way, which is not waited for any longer.
   */
  async close(graceMs = 500): Promise<void> {
    const { promise: over, resolve } = Promise.withResolvers<void>();
    const deadline = setTimeout(() => {
      this.#stop.abort();
      resolve();
    }, graceMs);
    await Promise.race([this.#idle, over]);
    clearTimeout(deadline);
  }

  async #run(): Promise<void> {
    this.#running = true;
    await nextTurn(); // who tells has more urgent things to do first
    let waits = backoff(Math.random);
    // what is told meanwhile comes last, and is reached
    for (const [key, call] of this.#queue)
      while (this.#queue.get(key) === call && !this.#stop.signal.aborted) {
        try {
          await call();
          waits = backoff(Math.random);
        } catch (error) {
          if (!(error instanceof ApiError) || (error.status !== null && error.status < 500))
            this.#refused((error as Error).message);
          else {
            await sleep(waits.next().value, undefined, { signal: this.#stop.signal }).catch(() => {});
            continue;
          }
        }
        if (this.#queue.get(key) === call) this.#queue.delete(key);
      }
    this.#running = false;
  }
}
