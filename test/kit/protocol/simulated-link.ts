import { VirtualClock } from '../../../src/base/virtual-clock.ts';

/** A source of chance that gives the same numbers for the same seed (mulberry32). */
export class Chance {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** 0 ≤ x < 1 */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let x = this.#state;
    x = Math.imul(x ^ (x >>> 15), x | 1);
    x ^= x + Math.imul(x ^ (x >>> 7), x | 61);
    return ((x ^ (x >>> 14)) >>> 0) / 2 ** 32;
  }

  between(low: number, high: number): number {
    return low + this.next() * (high - low);
  }

  below(limit: number): number {
    return Math.floor(this.next() * limit);
  }

  pick<T>(values: readonly T[]): T {
    return values[this.below(values.length)]!;
  }
}

export interface LinkQuality {
  /** probabilities */
  readonly loss: number;
  readonly duplication: number;
  /** ms, least and most; frames overtake each other when these differ */
  readonly delay: readonly [number, number];
}

export const goodLink: LinkQuality = { loss: 0, duplication: 0, delay: [0.05, 0.05] };

interface Machine<Output> {
  linkUp(now: number): Output[];
  linkDown(now: number): Output[];
  receive(frame: Uint8Array, now: number): Output[];
  tick(now: number): Output[];
  deadline(): number | null;
}

type Sends = { readonly kind: 'send'; readonly frame: Uint8Array } | { readonly kind: string };

/** One end: runs a machine by the clock and hands its outputs on, frames to the other end. */
export class End<Output extends Sends, M extends Machine<Output>> {
  readonly machine: M;
  readonly #link: SimulatedLink;
  readonly #handle: (output: Exclude<Output, { kind: 'send' }>) => void;
  #wake: number | null = null;
  #stopped = false;
  /** what it sends is lost */
  isMute = false;
  deliver: (frame: Uint8Array) => void = () => {};

  constructor(link: SimulatedLink, machine: M, handle: (output: Exclude<Output, { kind: 'send' }>) => void) {
    this.#link = link;
    this.machine = machine;
    this.#handle = handle;
  }

  do(step: (machine: M, now: number) => Output[]): void {
    if (this.#stopped) return;
    for (const output of step(this.machine, this.#link.clock.now())) {
      if (output.kind === 'send' && 'frame' in output) {
        if (!this.isMute) this.#link.carry(output.frame, this.deliver);
      } else this.#handle(output as Exclude<Output, { kind: 'send' }>);
    }
    this.#arm();
  }

  /** As a killed process: not a word more. */
  stop(): void {
    this.#stopped = true;
  }

  #arm(): void {
    const deadline = this.machine.deadline();
    if (deadline === null || (this.#wake !== null && this.#wake <= deadline)) return;
    this.#wake = deadline;
    this.#link.clock.at(deadline, () => {
      if (this.#wake !== deadline) return;
      this.#wake = null;
      this.do((machine, now) => machine.tick(now));
    });
  }
}

export class SimulatedLink {
  readonly clock: VirtualClock;
  readonly #chance: Chance;
  quality: LinkQuality = goodLink;
  up = true;
  carried = 0;

  constructor(clock: VirtualClock, chance: Chance) {
    this.clock = clock;
    this.#chance = chance;
  }

  carry(frame: Uint8Array, deliver: (frame: Uint8Array) => void): void {
    const { loss, duplication, delay } = this.quality;
    const copies = this.#chance.next() < duplication ? 2 : 1;
    for (let copy = 0; copy < copies; copy++) {
      if (this.#chance.next() < loss) continue;
      const at = this.clock.now() + this.#chance.between(...delay);
      this.clock.at(at, () => {
        if (!this.up) return;
        this.carried++;
        deliver(frame);
      });
    }
  }
}
