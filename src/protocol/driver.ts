import type { Clock } from '../base/clock.ts';

/** What every machine here offers: it is fed frames and time, and says what to do and when it wants to be called. */
export interface Machine<Output> {
  receive(frame: Uint8Array, now: number): Output[];
  tick(now: number): Output[];
  deadline(): number | null;
}

/** In ms: a machine that is called so late has something to read first. */
const late = 20;

/**
 * Runs one machine by a clock: hands its outputs on, in order, and calls it when it is due. Where that is late (the process
 * was stopped, or had other work), what came in meanwhile came in time, and is read first.
 */
export class Driver<M extends Machine<Output>, Output> {
  readonly machine: M;
  readonly #clock: Clock;
  readonly #handle: (output: Output) => void;
  readonly #catchUp: () => void;
  #cancel: (() => void) | null = null;
  #armedFor: number | null = null;

  /** `catchUp`: hands to `receive` what waits to be read. */
  constructor(machine: M, clock: Clock, handle: (output: Output) => void, catchUp: () => void = () => {}) {
    this.machine = machine;
    this.#clock = clock;
    this.#handle = handle;
    this.#catchUp = catchUp;
  }

  receive(frame: Uint8Array): void {
    this.do((machine, now) => machine.receive(frame, now));
  }

  /** Lets the machine do something now. A handler may call this again for the same machine. */
  do(step: (machine: M, now: number) => Output[]): void {
    for (const output of step(this.machine, this.#clock.now())) this.#handle(output);
    this.#arm();
  }

  stop(): void {
    this.#cancel?.();
    this.#cancel = this.#armedFor = null;
  }

  #arm(): void {
    const deadline = this.machine.deadline();
    if (deadline === this.#armedFor) return;
    this.stop();
    if (deadline === null) return;
    this.#armedFor = deadline;
    this.#cancel = this.#clock.at(deadline, () => {
      this.#cancel = this.#armedFor = null;
      if (this.#clock.now() > deadline + late) this.#catchUp();
      this.do((machine, now) => machine.tick(now));
    });
  }
}
