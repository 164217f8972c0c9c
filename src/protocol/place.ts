import type { MacAddress } from '../domain/mac-address.ts';
import type { PortIdentity } from './signed/identity.ts';

/** Who speaks for a system at the other end of a link. */
export interface Speaker {
  /** source of its frames */
  readonly mac: MacAddress;
  /** what it calls its chassis and its port */
  readonly id: PortIdentity;
  readonly name: string | null;
  /** the fingerprint of the key that it signs with; null: it does not sign */
  readonly key: string | null;
}

interface Wait {
  readonly until: number;
  /** also when no VSI is held at the port */
  readonly always: boolean;
}

/**
 * Whose place a port is. Who was there first has it as long as it is heard. After that the place waits for it, and
 * nobody else can take it meanwhile: for the hold time, and after a good-bye or with the link down only as long as the
 * port holds VSIs for it.
 */
export class Place {
  /** in ms */
  readonly #hold: () => number;
  /** whether VSIs are held at the port */
  readonly #isUsed: () => boolean;
  #holder: Speaker | null;
  /** Who had it in an earlier run counts as heard until the link is up. */
  #isHeard: boolean;
  #wait: Wait | null = null;
  /** the holder, also when the place is free again */
  #last: Speaker | null;

  /** `holder` had it in an earlier run. */
  constructor(hold: () => number, isUsed: () => boolean, holder: Speaker | null) {
    this.#hold = hold;
    this.#isUsed = isUsed;
    this.#holder = this.#last = holder;
    this.#isHeard = holder !== null;
  }

  get holder(): Speaker | null {
    return this.#holder;
  }

  /** Until when nobody else can take it, in ms; null: it is free, or its holder is heard. */
  get heldUntil(): number | null {
    return this.#holder && this.#wait && (this.#wait.always || this.#isUsed()) ? this.#wait.until : null;
  }

  isHolder({ mac, id }: Pick<Speaker, 'mac' | 'id'>): boolean {
    return this.#holder?.mac === mac && this.#holder.id === id;
  }

  /** Whether another than the holder can have it. */
  isFree(now: number): boolean {
    if (!this.#holder) return true;
    const { heldUntil } = this;
    return !this.#isHeard && (heldUntil === null || now >= heldUntil);
  }

  /** Who had it before, if that was another. */
  take(speaker: Speaker): Speaker | null {
    const before = this.#last;
    const isOther = before !== null && (before.mac !== speaker.mac || before.id !== speaker.id);
    this.#holder = this.#last = speaker;
    this.#isHeard = true;
    this.#wait = null;
    return isOther ? before : null;
  }

  /** The holder is not heard any more. `always`: it did not say so, and its link is up. */
  lose(always: boolean, now: number): void {
    this.#isHeard = false;
    if (!this.#holder) return;
    this.#wait = { until: this.#wait?.until ?? now + this.#hold(), always };
    this.expire(now);
  }

  /** The link is up. */
  open(now: number): void {
    if (this.#isHeard) this.lose(true, now);
    else this.expire(now);
  }

  /** Its wait begins anew, if it waits. */
  excuse(now: number): void {
    if (this.#wait) this.#wait = { ...this.#wait, until: Math.max(this.#wait.until, now + this.#hold()) };
  }

  /** True if the place has become free by now. */
  expire(now: number): boolean {
    if (!this.#holder || !this.isFree(now)) return false;
    this.#holder = this.#wait = null;
    return true;
  }

  /** Whoever speaks next has it, and what is held here is his. */
  clear(): void {
    this.#holder = this.#last = this.#wait = null;
    this.#isHeard = false;
  }
}
