/** Bits 0 to 15: a vector's number; 16 to 31: which of its words are not zero (bpf/access-list.h). */
export type Class = number;

/** A set of rules, as a bit for each in words of 64. */
export class RuleSet {
  readonly words: BigUint64Array<ArrayBuffer>;

  constructor(words: number) {
    this.words = new BigUint64Array(words);
  }

  add(rule: number): void {
    this.words[rule >> 6]! |= 1n << BigInt(rule & 63);
  }
}

/** The vectors of one list, each once, as the numbers of their words, each of which is there once. */
export class VectorPool {
  /** word 0 is zero */
  readonly words: bigint[] = [0n];
  /** of each vector, the numbers of its words */
  readonly vectors: Uint16Array[] = [];
  readonly #wordNumbers = new Map([[0n, 0]]);
  readonly #classes = new Map<string, Class>();

  word(bits: bigint): number {
    let number = this.#wordNumbers.get(bits);
    if (number === undefined) {
      number = this.words.push(bits) - 1;
      this.#wordNumbers.set(bits, number);
    }
    return number;
  }

  classOf(numbers: Uint16Array): Class {
    const key = String.fromCharCode(...numbers);
    let found = this.#classes.get(key);
    if (found === undefined) {
      const vector = this.vectors.push(numbers.slice()) - 1;
      const filled = numbers.reduce((bits, number, i) => (number ? bits | (1 << i) : bits), 0);
      found = ((filled << 16) | vector) >>> 0;
      this.#classes.set(key, found);
    }
    return found;
  }
}

/** A vector that changes from one interval of a key to the next. */
export class Sweep {
  readonly #pool: VectorPool;
  readonly #words: BigUint64Array;
  readonly #numbers: Uint16Array;

  constructor(pool: VectorPool, initial: RuleSet) {
    this.#pool = pool;
    this.#words = initial.words.slice();
    this.#numbers = Uint16Array.from(this.#words, (bits) => pool.word(bits));
  }

  /** Puts in the rules that are not there, and takes out those that are. */
  toggle({ words }: RuleSet): void {
    for (let i = 0; i < words.length; i++) {
      if (!words[i]) continue;
      this.#words[i]! ^= words[i]!;
      this.#numbers[i] = this.#pool.word(this.#words[i]!);
    }
  }

  get class(): Class {
    return this.#pool.classOf(this.#numbers);
  }
}
