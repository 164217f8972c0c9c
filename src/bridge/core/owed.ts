import type { Clock } from '../../base/clock.ts';
import { RelayError } from '../../relay/contract/relay.ts';

const wait = { firstMs: 1000, mostMs: 30_000 };

/**
 * A change that nobody waits for an answer to, and that has to be made: what the data plane refuses is owed, and tried
 * again, later each time, until it is taken.
 */
export class Owed {
  readonly #clock: Clock;
  readonly #apply: () => void;
  readonly #log: (level: 'info' | 'warn', message: string) => void;
  #cancel = (): void => {};
  #waitMs = wait.firstMs;
  /** what the data plane said last; null: nothing is owed */
  reason: string | null = null;

  constructor(clock: Clock, apply: () => void, log: (level: 'info' | 'warn', message: string) => void) {
    this.#clock = clock;
    this.#apply = apply;
    this.#log = log;
  }

  /** Makes the change, now or later. */
  make(what: string): void {
    try {
      this.#apply();
    } catch (error) {
      if (!(error instanceof RelayError)) throw error;
      this.reason = `${what}: ${error.message}`;
      this.#log(
        'warn',
        `${what}: the data plane refused: ${error.message}; again in ${this.#waitMs / 1000} s`,
      );
      this.#cancel();
      this.#cancel = this.#clock.at(this.#clock.now() + this.#waitMs, () => this.make(what));
      this.#waitMs = Math.min(2 * this.#waitMs, wait.mostMs);
    }
  }

  /** The data plane is as it should be. */
  done(): void {
    if (this.reason !== null) this.#log('info', 'the data plane has caught up');
    this.stop();
    this.#waitMs = wait.firstMs;
    this.reason = null;
  }

  stop(): void {
    this.#cancel();
  }
}
