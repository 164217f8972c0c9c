import { answerSpan, type Answer, type Beacon, type Probe, type Query } from './datagram.ts';
import { SequenceWindow } from './sequence-window.ts';

/** What the VM's end counts: the state behind the beacons. The guest program (guest/program) does the same in C. */
export class VmCounters {
  #run = 0n;
  #sequence = 0;
  #distinct = 0;
  #duplicated = 0;
  #window = new SequenceWindow();

  #quiet = true;

  /** Whether it is to send nothing: the latest probe asks for that, or none has come. */
  get quiet(): boolean {
    return this.#quiet;
  }

  /** False if the probe belongs to a measurement that is over, and was not counted. */
  receive({ sequence, run, quiet }: Probe): boolean {
    if (run < this.#run) return false;
    this.#quiet = quiet;
    if (run > this.#run) {
      this.#run = run;
      this.#distinct = 0;
      this.#duplicated = 0;
      this.#window = new SequenceWindow();
    }
    if (this.#window.add(sequence)) this.#distinct++;
    else this.#duplicated++;
    return true;
  }

  /** Null if the query is of another measurement. */
  answer({ from, run }: Query): Answer | null {
    if (run !== this.#run) return null;
    return { from, run, duplicated: this.#duplicated, received: this.#window.from(from, answerSpan) };
  }

  /** The next beacon. */
  beacon(): Beacon {
    return {
      sequence: this.#sequence++,
      run: this.#run,
      distinct: this.#distinct,
      duplicated: this.#duplicated,
      highest: Math.max(this.#window.highest, 0),
    };
  }
}
