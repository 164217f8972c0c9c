import type { Counter } from './tlv.ts';

const mostCounted = 0xffff_ffff;

/**
 * Numbers what an agent signs, at all of its ports: a port that is taken away and comes back while the agent runs goes on
 * where it was, and its station takes nothing for a replay.
 */
export class Numbering {
  #epoch: number;
  #sequence = 0;

  /** @param epoch larger with every start of the agent: the counters of a later run are larger than all of an earlier one */
  constructor(epoch: number) {
    this.#epoch = epoch;
  }

  next(): Counter {
    if (this.#sequence === mostCounted) {
      this.#epoch++;
      this.#sequence = 0;
    }
    return { epoch: this.#epoch, sequence: ++this.#sequence };
  }
}
