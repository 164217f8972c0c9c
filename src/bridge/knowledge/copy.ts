import type { Listing } from '../../client/client.ts';
import type { Cursor } from '../../api/cursor.ts';

export interface CopyRules<Value> {
  readonly keyOf: (value: Value) => string;
  /** whether a VM here is on the network by it */
  readonly runs: (value: Value) => boolean;
  /** whether `after` takes something away from a VM that had `before` */
  readonly takesAway: (before: Value, after: Value) => boolean;
}

/** What is to be done about the values, and is not done yet: those that are gone first. */
export interface Changes<Value> {
  readonly gone: readonly string[];
  readonly set: readonly Value[];
}

/** What an agent keeps of a copy for its next run. */
export interface KeptCopy<Value> {
  readonly values: readonly Value[];
  readonly cursor: Cursor | null;
  readonly since: number;
  readonly withheld: readonly { readonly key: string; readonly pending: Value | null }[];
}

/**
 * An agent's copy of one of the manager's collections, and what of it the agent withholds. A list that does not go on from
 * the copy is of a database that is empty, older, or another one. What such a list has is taken, but what it takes away
 * from running VMs is *withheld*: the copy keeps the value, until the administrator accepts the database, writes that
 * object, or the VM ends.
 */
export class Copy<Value> {
  readonly values = new Map<string, Value>();
  /** by key; null where the database has nothing, else what it has */
  #withheld = new Map<string, Value | null>();
  #cursor: Cursor | null = null;
  #isOld = false;
  /** the revision of the list by which something was withheld last */
  #since = 0;
  readonly #rules: CopyRules<Value>;

  constructor(rules: CopyRules<Value>) {
    this.#rules = rules;
  }

  get cursor(): Cursor | null {
    return this.#cursor;
  }

  get withheld(): ReadonlyMap<string, Value | null> {
    return this.#withheld;
  }

  get kept(): KeptCopy<Value> {
    return {
      values: [...this.values.values()],
      cursor: this.#cursor,
      since: this.#since,
      withheld: Array.from(this.#withheld, ([key, pending]) => ({ key, pending })),
    };
  }

  load({ values, cursor, since, withheld }: KeptCopy<Value>): void {
    this.#isOld = true;
    for (const value of values) this.values.set(this.#rules.keyOf(value), value);
    this.#cursor = cursor;
    this.#since = since;
    this.#withheld = new Map(withheld.map(({ key, pending }) => [key, pending]));
  }

  list({ items, revision, cursor, continues, accepted, unreadable }: Listing<Value>): Changes<Value> {
    const { keyOf, runs, takesAway } = this.#rules;
    // a copy without a cursor is an earlier Hairpin's, which may be of any database
    const goesOn = this.#cursor === null ? !this.#isOld : continues;
    if (!goesOn) this.#since = revision;
    const isAccepted = goesOn && accepted > this.#since;
    const mayWithhold = (key: string) => !isAccepted && (!goesOn || this.#withheld.has(key));
    const withheld = new Map<string, Value | null>();
    const there = new Map(items.map(({ value }) => [keyOf(value), value]));
    const gone: string[] = [];
    const set: Value[] = [];
    for (const [key, value] of this.values) {
      if (there.has(key) || unreadable.includes(key)) continue;
      if (mayWithhold(key) && runs(value)) withheld.set(key, null);
      else gone.push(key);
    }
    for (const [key, value] of there) {
      const before = this.values.get(key);
      if (before !== undefined && mayWithhold(key) && takesAway(before, value) && runs(before))
        withheld.set(key, value);
      else set.push(value);
    }
    this.#withheld = withheld;
    this.#cursor = cursor;
    return { gone, set };
  }

  put(key: string, value: Value): Changes<Value> {
    const pending = this.#withheld.get(key);
    // somebody else's word on the object as it is (where the VSI is), and not the administrator's
    if (pending && !this.#rules.takesAway(pending, value)) {
      this.#withheld.set(key, value);
      return { gone: [], set: [] };
    }
    this.#withheld.delete(key);
    return { gone: [], set: [value] };
  }

  delete(key: string): Changes<Value> {
    this.#withheld.delete(key);
    return { gone: [key], set: [] };
  }

  /** What was withheld for VMs that run no more. */
  ended(): Changes<Value> {
    const gone: string[] = [];
    const set: Value[] = [];
    for (const [key, pending] of this.#withheld) {
      const value = this.values.get(key);
      if (value !== undefined && this.#rules.runs(value)) continue;
      this.#withheld.delete(key);
      if (pending) set.push(pending);
      else gone.push(key);
    }
    return { gone, set };
  }

  /** A watch has told all up to there. */
  seen(cursor: Cursor): void {
    this.#cursor = cursor;
  }
}
