/** Bits 0 to 15: a vector's number; 16 to 31: which of its words are not zero (bpf/access-list.h). */
export type Class = number;

/** A bit for each rule, in words of 64 of which each is two halves, the lower first. */
export class Vector {
  readonly halves: Uint32Array<ArrayBuffer>;
  /** of each word, its number in the pool as of the last `classOf` */
  readonly numbers: Uint16Array<ArrayBuffer>;
  /** the words that have changed since then */
  readonly changed = new Set<number>();

  constructor(words: number, rules: readonly number[]) {
    this.halves = new Uint32Array(2 * words);
    this.numbers = new Uint16Array(words);
    this.toggle(rules);
  }

  /** Puts in those that are not there, and takes out those that are. */
  toggle(rules: readonly number[]): void {
    for (const rule of rules) {
      this.halves[rule >> 5]! ^= 1 << (rule & 31);
      this.changed.add(rule >> 6);
    }
  }
}

/** The vectors of one list, each once, as the numbers of their words, each of which is there once. */
export class VectorPool {
  readonly words: number;
  /** of the words that vectors have; the first word is zero */
  readonly halves: number[] = [];
  /** of each vector, the numbers of its words */
  readonly vectors: Uint16Array[] = [];
  /** by its upper and its lower half */
  readonly #numbers = new Map<number, Map<number, number>>();
  readonly #classes = new Map<string, Class>();

  /** `words`: of each vector */
  constructor(words: number) {
    this.words = words;
    this.#number(0, 0);
  }

  classOf({ halves, numbers, changed }: Vector): Class {
    for (const word of changed) numbers[word] = this.#number(halves[2 * word]!, halves[2 * word + 1]!);
    changed.clear();
    const key = Buffer.from(numbers.buffer).toString('latin1');
    let found = this.#classes.get(key);
    if (found === undefined) {
      const vector = this.vectors.push(numbers.slice()) - 1;
      const filled = numbers.reduce((bits, number, i) => (number ? bits | (1 << i) : bits), 0);
      found = ((filled << 16) | vector) >>> 0;
      this.#classes.set(key, found);
    }
    return found;
  }

  #number(low: number, high: number): number {
    let numbers = this.#numbers.get(high);
    if (!numbers) this.#numbers.set(high, (numbers = new Map()));
    let number = numbers.get(low);
    if (number === undefined) {
      number = this.halves.push(low, high) / 2 - 1;
      numbers.set(low, number);
    }
    return number;
  }
}
