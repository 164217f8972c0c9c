/** Time as a machine's host has it: a monotonic now in ms, and a call at a later moment that can be taken back. */
export interface Clock {
  now(): number;
  at(time: number, action: () => void): () => void;
}

/** What every machine here offers: it is fed frames and time, and says what to do and when it wants to be called. */
export interface Machine<Output> {
  receive(frame: Uint8Array, now: number): Output[];
  tick(now: number): Output[];
  deadline(): number | null;
}

/** Runs one machine by a clock: hands its outputs on, in order, and calls it when it is due. */
export class Driver<M extends Machine<Output>, Output> {
  readonly machine: M;
  readonly #clock: Clock;
  readonly #handle: (output: Output) => void;
  #cancel: (() => void) | null = null;
  #armedFor: number | null = null;

  constructor(machine: M, clock: Clock, handle: (output: Output) => void) {
    this.machine = machine;
    this.#clock = clock;
    this.#handle = handle;
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
      this.do((machine, now) => machine.tick(now));
    });
  }
}
