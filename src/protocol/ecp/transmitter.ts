import type { Timing } from '../evb/timers.ts';
import { earliest } from '../../base/deadline.ts';
import { equal } from '../../base/octets.ts';

/**
 * In ms, from an acknowledgement to the next ECPDU: lldpad acknowledges at once but reads what it received 2 ms later,
 * from a buffer that the next ECPDU overwrites. Not from the sending, as a busy host may receive late.
 */
const spacing = 3;

export type Settled = { readonly acknowledgedAt: number } | 'failed' | 'lost';

export interface EcpSender {
  /** The next payload, or null if there is none; asked only when it can be sent now. */
  pull(now: number): Uint8Array | null;
  send(sequence: number, payload: Uint8Array, repeated: boolean): void;
  /** What became of the payload sent last: when it was acknowledged, "failed" after R repeats, "lost" by a reset. */
  settled(how: Settled): void;
  /** Whether `pull` would have something. */
  hasMore(): boolean;
}

interface InFlight {
  readonly payload: Uint8Array;
  /** the sequence number of the first transmission */
  readonly first: number;
  transmissions: number;
}

/**
 * Sending half of ECP (802.1Q 43.3.4): one ECPDU at a time, again after each acknowledgement time, R times. Where
 * repeats are renumbered, the acknowledgement of any of them counts: it may come late.
 */
export class EcpTransmitter {
  readonly #sender: EcpSender;
  readonly #spacing: () => number;
  #sequence: number;
  #inFlight: InFlight | null = null;
  /** the last one, if nobody acknowledged it and what it carried waits to be sent once more */
  #failed: { readonly payload: Uint8Array; readonly sequence: number } | null = null;
  #lastSent = -Infinity;
  #nextAllowed = -Infinity;

  /**
   * `firstSequence` is better not the same after each restart: the other side may take it for a repeat. One that reads at
   * once is sent the next ECPDU as soon as it has acknowledged the last: a VM's stop is not to wait.
   */
  constructor(sender: EcpSender, firstSequence: number, readsAtOnce: () => boolean = () => false) {
    this.#sender = sender;
    this.#sequence = firstSequence;
    this.#spacing = () => (readsAtOnce() ? 0 : spacing);
  }

  /** Sends what is due. */
  run(timing: Timing, renumbersRepeats: boolean, now: number): void {
    if (this.#inFlight && now >= this.#lastSent + timing.acknowledgement)
      this.#again(this.#inFlight, timing, renumbersRepeats, now);
    if (this.#inFlight || now < this.#nextAllowed) return;
    const payload = this.#sender.pull(now);
    if (payload === null) return;
    // A busy station may take it yet, and acknowledge it late. Under a new number it would take it twice.
    if (!renumbersRepeats && this.#failed && equal(payload, this.#failed.payload))
      this.#sequence = this.#failed.sequence;
    this.#failed = null;
    this.#inFlight = { payload, first: this.#sequence, transmissions: 0 };
    this.#transmit(this.#inFlight, now);
  }

  /** Waits for an acknowledgement anew. */
  excuse(now: number): void {
    if (this.#inFlight) this.#lastSent = now;
  }

  /** Of a repeat there may be several; only the first one means anything. */
  acknowledged(sequence: number, now: number): void {
    if (!this.#inFlight || !between(this.#inFlight.first, sequence, this.#sequence)) return;
    this.#nextAllowed = now + this.#spacing();
    this.#settle({ acknowledgedAt: now });
  }

  /** Forgets what is on its way; the sequence goes on. */
  reset(): void {
    if (this.#inFlight) this.#settle('lost');
    this.#failed = null;
  }

  deadline({ acknowledgement }: Timing): number | null {
    return earliest(
      this.#inFlight ? this.#lastSent + acknowledgement : null,
      !this.#inFlight && this.#sender.hasMore() ? this.#nextAllowed : null,
    );
  }

  #again(ecpdu: InFlight, { retries }: Timing, renumbersRepeats: boolean, now: number): void {
    if (ecpdu.transmissions > retries) {
      const failed = { payload: ecpdu.payload, sequence: this.#sequence };
      this.#settle('failed');
      this.#failed = this.#sender.hasMore() ? failed : null;
      return;
    }
    if (renumbersRepeats) this.#sequence = following(this.#sequence);
    this.#transmit(ecpdu, now);
  }

  #transmit(ecpdu: InFlight, now: number): void {
    ecpdu.transmissions++;
    this.#lastSent = now;
    this.#nextAllowed = now + this.#spacing();
    this.#sender.send(this.#sequence, ecpdu.payload, ecpdu.transmissions > 1);
  }

  #settle(how: Settled): void {
    this.#inFlight = null;
    this.#sequence = following(this.#sequence);
    this.#sender.settled(how);
  }
}

function following(sequence: number): number {
  return (sequence + 1) & 0xffff || 1;
}

/** Whether `sequence` is one of those from `first` to `last`, which may have wrapped. */
function between(first: number, sequence: number, last: number): boolean {
  return ((sequence - first) & 0xffff) <= ((last - first) & 0xffff);
}
