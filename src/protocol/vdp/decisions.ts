import { Aging } from '../../base/aging.ts';
import { TokenBucket, type TokenRate } from '../../base/token-bucket.ts';
import type { VsiId } from '../../domain/vsi-id.ts';

/**
 * A host that is started or emptied asks for all its VSIs at once, reserved and then associated. After that: lldpad in
 * the ratified version asks for no more than 390 per second, and libvirt, one by one, for fewer.
 */
function allowance(vsis: number): TokenRate {
  return { rate: 500, burst: 2 * vsis + 500 };
}

/**
 * The requests that wait for the agent's decision, one for each VSI at most.
 *
 * Repeats and keep-alives are answered here and cost little, so lldpad may fill its ECPDUs with them; what the agent has
 * to decide on costs it a look at the manager and a write to the relay. Above what any station needs, requests are
 * refused. Silence would do less: without ECP's acknowledgement lldpad tries for 10 ms more and tells nobody, and
 * without VDP's answer libvirt waits for 10 s, and lldpad's ratified VSI for ever; in draft 0.2 it would ask again in
 * each ECPDU, which is more of the same.
 */
export class Decisions {
  readonly #allowed: TokenBucket;
  readonly #tokens = new Map<number, VsiId>();
  /** the same by the arrival of the request */
  readonly #waiting = new Aging<VsiId>();
  #nextToken = 1;

  /** `mostVsis`: as many as one port has. */
  constructor(mostVsis: number) {
    this.#allowed = new TokenBucket(allowance(mostVsis));
  }

  get size(): number {
    return this.#tokens.size;
  }

  /** Whether the agent can be asked once more; saying yes counts. */
  take(now: number): boolean {
    return this.#allowed.take(now);
  }

  /** The agent is asked about the VSI. Returns the token that it answers under. */
  open(vsiId: VsiId, now: number): number {
    const token = this.#nextToken++;
    this.#tokens.set(token, vsiId);
    this.#waiting.touch(vsiId, now);
    return token;
  }

  /** Undefined: the token is void. */
  vsiOf(token: number): VsiId | undefined {
    return this.#tokens.get(token);
  }

  close(token: number, vsiId: VsiId): void {
    this.#tokens.delete(token);
    this.#waiting.delete(vsiId);
  }

  /** What was not decided in time gets its time anew. */
  excuse(now: number): void {
    this.#waiting.touchAll(now);
  }

  /** The VSIs about which the agent has not answered for `wait` ms; they are still to be closed. */
  overdue(wait: number, now: number): VsiId[] {
    return this.#waiting.expire(wait, now);
  }

  deadline(wait: number): number | null {
    return this.#waiting.deadline(wait);
  }
}
