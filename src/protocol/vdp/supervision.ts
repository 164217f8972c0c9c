import { Aging } from '../../base/aging.ts';
import { earliest } from '../../base/deadline.ts';
import type { VsiId } from '../../domain/vsi-id.ts';
import type { EvbOperation } from '../evb/parameters.ts';
import { txTtl } from '../lldp/transmitter.ts';
import type { Held } from './association.ts';
import type { Hold } from './hold.ts';

export interface SupervisionOptions {
  /** read whenever it is needed, as it may change */
  readonly hold: Hold;
  /** whether another place has claimed the VSI, so that it is not held here */
  readonly isElsewhere: (vsiId: VsiId) => boolean;
  /** whether the VM runs here by another's word than its station's, which has only reserved the place */
  readonly isActive: (vsiId: VsiId) => boolean;
  /** what EVB has agreed on at the moment */
  readonly operation: () => EvbOperation;
  readonly emit: (output: HeldChange) => void;
}

/** Its keep-alives are lost, and it is held all the same; false: its station is heard again. */
export interface HeldChange {
  readonly kind: 'held';
  readonly vsiId: VsiId;
  readonly held: boolean;
}

export type Expiry =
  | 'keep-alive expired'
  /** its keep-alives were lost, and it was held for as long as the port holds */
  | 'hold time over';

/** The machine that holds what is supervised. */
export interface Supervised {
  associationOf(vsiId: VsiId): Held | null;
  /** Lets go of the VSI, and calls `forget`. */
  release(vsiId: VsiId, why: Expiry): void;
}

/**
 * Whether the keep-alives of what the bridge holds come in time. An association whose keep-alives are lost goes on for as
 * long as the port holds it (`Hold`), unless another place claims the VSI; a pre-association ends, as nothing runs by it.
 */
export class Supervision {
  readonly #options: SupervisionOptions;
  readonly #supervised: Supervised;
  /** by the last answer: from then on the station counts its keep-alive */
  readonly #renewed = new Aging<VsiId>();
  /** those of them whose keep-alives are lost, by when that was noticed */
  readonly #lost = new Aging<VsiId>();
  /** since when the link is down */
  #downSince: number | null = null;
  /** what is held does not expire before, as its station may be there and not have been heard yet */
  #unheardUntil = -Infinity;

  constructor(options: SupervisionOptions, supervised: Supervised) {
    this.#options = options;
    this.#supervised = supervised;
  }

  /** Since when the VSI is held without keep-alives; null: it is not. */
  heldSince(vsiId: VsiId): number | null {
    return this.#lost.since(vsiId);
  }

  /** The VSI is supervised, and its time begins anew, though its station may not have been heard. */
  renew(vsiId: VsiId, now: number): void {
    this.#renewed.touch(vsiId, now);
  }

  /** Its station has spoken of it. */
  heard(vsiId: VsiId, now: number): void {
    this.#renewed.touch(vsiId, now);
    if (this.#lost.since(vsiId) === null) return;
    this.#lost.delete(vsiId);
    this.#options.emit({ kind: 'held', vsiId, held: false });
  }

  /** Its station waits for a decision, and sends no keep-alives. */
  suspend(vsiId: VsiId): void {
    this.#renewed.delete(vsiId);
  }

  forget(vsiId: VsiId): void {
    this.#renewed.delete(vsiId);
    this.#lost.delete(vsiId);
  }

  /**
   * Keep-alives count only from whom LLDP has named, and a station that did not notice that the agent or the link was
   * gone speaks LLDP when it would have anyway: what is held waits for it, as long as an LLDPDU is good for.
   */
  linkUp(now: number): void {
    this.#downSince = null;
    this.#unheardUntil = now + txTtl * 1_000;
  }

  /** Nobody is awaited any more. */
  linkDown(now: number): void {
    this.#downSince ??= now;
    this.#unheardUntil = now;
  }

  /** The station is there, and is told at `time` what it holds. */
  connected(time: number): void {
    this.#unheardUntil = time;
  }

  /** This machine did not run for a while: what was not heard in time gets its time anew. */
  excuse(now: number): void {
    this.#renewed.touchAll(now);
    this.#lost.touchAll(now);
    if (this.#downSince !== null) this.#downSince = now;
  }

  tick(now: number): void {
    if (now < this.#unheardUntil) return;
    const { timing } = this.#options.operation();
    for (const vsiId of this.#renewed.expire(timing.keepAliveSupervision, now)) this.#miss(vsiId, now);
    for (const vsiId of this.#lost.expire(this.#isDownForGood(now) ? 0 : this.#options.hold.linkUp, now))
      this.#supervised.release(vsiId, 'hold time over');
  }

  deadline(): number | null {
    const { timing } = this.#options.operation();
    const first = earliest(this.#renewed.deadline(timing.keepAliveSupervision), this.#heldUntil());
    return first === null ? null : Math.max(first, this.#unheardUntil);
  }

  /** A station that is heard no more is one thing, and the VM that runs behind it another. Asked again each time it is due. */
  #miss(vsiId: VsiId, now: number): void {
    const { hold, isElsewhere, isActive } = this.#options;
    const holds = (this.#downSince === null ? hold.linkUp : hold.linkDown) > 0;
    const runs = this.#supervised.associationOf(vsiId) === 'associated' || isActive(vsiId);
    if (!holds || !runs || isElsewhere(vsiId)) {
      this.#supervised.release(vsiId, 'keep-alive expired');
      return;
    }
    this.#renewed.touch(vsiId, now);
    if (this.#lost.since(vsiId) !== null) return;
    this.#lost.touch(vsiId, now);
    this.#options.emit({ kind: 'held', vsiId, held: true });
  }

  #isDownForGood(now: number): boolean {
    return this.#downSince !== null && now >= this.#downSince + this.#options.hold.linkDown;
  }

  /** When the first VSI that is held is let go of. */
  #heldUntil(): number | null {
    const { linkUp, linkDown } = this.#options.hold;
    const first = this.#lost.deadline(linkUp);
    if (first === null) return null;
    const until = Math.min(first, this.#downSince === null ? Infinity : this.#downSince + linkDown);
    return until === Infinity ? null : until;
  }
}
