import type { Clock } from '../base/clock.ts';
import type { VsiId } from '../domain/vsi-id.ts';
import type { StationVsi } from './parts.ts';
import type { Wish } from './vm-table.ts';

/** What the station asks of the bridge for a VSI. */
export type Mode = Exclude<Wish, null>;

/** What became of a request to the bridge. */
export type Outcome =
  | { readonly granted: true }
  /** `unknown`: there was nothing to ask, as the event is about a VM that the station does not know */
  | { readonly granted: false; readonly reason: string; readonly unknown?: true };

/** No answer of the bridge's takes longer: the response wait of EVB's default timers is 15.8 s. */
const answerLimitMs = 20_000;

interface Waiter {
  readonly mode: Mode;
  readonly settle: (outcome: Outcome) => void;
}

/** The requests to the bridge that have no answer yet, and who waits for each. */
export class Asking {
  readonly #clock: Clock;
  readonly #request: (vsi: StationVsi, mode: Mode) => void;
  readonly #waiting = new Map<VsiId, Waiter[]>();

  /** @param request sends the bridge a request, whose answer comes by `settle` */
  constructor(clock: Clock, request: (vsi: StationVsi, mode: Mode) => void) {
    this.#clock = clock;
    this.#request = request;
  }

  /** Sends the request; resolves with the bridge's answer, or with why there is none. */
  ask(vsi: StationVsi, mode: Mode): Promise<Outcome> {
    const { vsiId } = vsi;
    return new Promise((resolve) => {
      const cancel = this.#clock.at(this.#clock.now() + answerLimitMs, () =>
        waiter.settle({ granted: false, reason: `VSI ${vsiId}: no bridge answers` }),
      );
      const waiter: Waiter = {
        mode,
        settle: (outcome) => {
          cancel();
          const others = (this.#waiting.get(vsiId) ?? []).filter((other) => other !== waiter);
          if (others.length) this.#waiting.set(vsiId, others);
          else this.#waiting.delete(vsiId);
          resolve(outcome);
        },
      };
      // the bridge answers what was asked last
      this.settle(vsiId, (other) =>
        other === mode ? null : { granted: false, reason: `VSI ${vsiId}: ${mode} was asked instead` },
      );
      this.#waiting.set(vsiId, [...(this.#waiting.get(vsiId) ?? []), waiter]);
      this.#request(vsi, mode);
    });
  }

  isAwaited(vsiId: VsiId): boolean {
    return this.#waiting.has(vsiId);
  }

  /** Settles those who wait for a VSI with what `outcome` has for their request, if anything. */
  settle(vsiId: VsiId, outcome: (mode: Mode) => Outcome | null): void {
    for (const { mode, settle } of this.#waiting.get(vsiId) ?? []) {
      const settled = outcome(mode);
      if (settled) settle(settled);
    }
  }
}
