import type { Beacon, Probe } from './datagram.ts';
import { SequenceWindow } from './sequence-window.ts';

/** What the VM's end counts: the state behind the beacons. The guest program (guest/program) does the same in C. */
export class VmCounters {
  #run = 0n;
  #sequence = 0;
  #distinct = 0;
  #duplicated = 0;
  #window = new SequenceWindow();

  /** False if the probe belongs to a measurement that is over, and was not counted. */
  receive({ sequence, run }: Probe): boolean {
    if (run < this.#run) return false;
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
