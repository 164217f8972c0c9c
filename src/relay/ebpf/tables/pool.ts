import { RelayError } from '../../contract/relay.ts';

/**
 * Numbers of slots, profiles or ports. A retired number is given out again only after a grace period, in which every
 * program that may still see what it stood for has ended; grace periods take milliseconds, so that one serves many.
 */
export class Pool {
  readonly #what: string;
  readonly #grace: () => void;
  #free: number[] = [];
  #retired: number[] = [];

  /** Numbers 1 to `size` - 1 without those in `used`; `grace` returns when a grace period is over. */
  constructor(what: string, size: number, used: ReadonlySet<number>, grace: () => void) {
    this.#what = what;
    this.#grace = grace;
    for (let number = size - 1; number > 0; number--) if (!used.has(number)) this.#free.push(number);
  }

  /** @throws RelayError when all are in use */
  take(): number {
    if (!this.#free.length && this.#retired.length) {
      this.#grace();
      this.#free = this.#retired;
      this.#retired = [];
    }
    const number = this.#free.pop();
    if (number === undefined) throw new RelayError(`the data plane has no room for another ${this.#what}`);
    return number;
  }

  /** Takes back a number that no program has seen. */
  putBack(number: number): void {
    this.#free.push(number);
  }

  retire(number: number): void {
    this.#retired.push(number);
  }
}
