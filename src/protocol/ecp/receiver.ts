/** A frame is in a bridged network for a second at most (bridge transit delay, 802.1Q 6.5.6); in ms. */
const lifetime = 1_000;
const remembered = 64;

/**
 * Receiving half of ECP (802.1Q 43.3.5): tells a new ECPDU from a repeat. A repeat has the sequence number of the
 * last one or, where the network kept back a frame, one that was in use within a frame's lifetime.
 */
export class EcpReceiver {
  #last: number | null = null;
  readonly #recent = new Map<number, number>();
  readonly counters = { rxFrameCount: 0, rxRepeatCount: 0 };

  /** Whether to deliver; to be acknowledged it is in any case. */
  isNew(sequence: number, now: number): boolean {
    const seen = this.#recent.get(sequence);
    if (sequence === this.#last || (seen !== undefined && now < seen + lifetime)) {
      this.counters.rxRepeatCount++;
      return false;
    }
    this.counters.rxFrameCount++;
    this.#last = sequence;
    this.#recent.delete(sequence);
    this.#recent.set(sequence, now);
    for (const [oldest] of this.#recent) {
      if (this.#recent.size <= remembered) break;
      this.#recent.delete(oldest);
    }
    return true;
  }

  /** The other side was restarted: it may use any sequence number. */
  reset(): void {
    this.#last = null;
    this.#recent.clear();
  }
}
