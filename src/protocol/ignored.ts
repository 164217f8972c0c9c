/** Why a frame, or what was in it, was not acted on. */
export const ignoreReasons = [
  'link down',
  /** a second station was there, and until the link was down nothing counts */
  'port disabled',
  'malformed',
  'not a control frame',
  /** its source is this very port: somebody reflects frames */
  'own frame',
  /** its source is a VM's address: a VM is not a station */
  'VSI address',
  /** its source is not the neighbour that LLDP found */
  'not the neighbour',
  /** it speaks LLDP with an EVB TLV as the neighbour does */
  'second speaker',
  /** it has no signature, and one was verified at this port before */
  'unsigned',
  /** no key that is known here made its signature; where none was verified before, it counts as unsigned */
  'bad signature',
  /** it was signed before what was taken last: somebody sends an old frame again */
  'replayed',
  /** LLDP without a usable EVB TLV, or of the same role as this side */
  'no EVB counterpart',
  /** ECP of the version that the neighbour did not negotiate */
  'other dialect',
  'rate limit',
  'unknown ECP subtype',
  /** LLDP to another address than the station's, from more systems than are remembered */
  'too many neighbours',
] as const;
export type IgnoreReason = (typeof ignoreReasons)[number];

export interface Ignored {
  readonly kind: 'ignored';
  readonly reason: IgnoreReason;
  /** one line on the frame at hand */
  readonly detail: string;
}

/** In ms: a flood fills counters, not logs. */
const quiet = 1_000;

/** Counts all, and lets through one report per reason and second. */
export class IgnoreLog {
  readonly #counts = new Map<IgnoreReason, number>();
  readonly #reported = new Map<IgnoreReason, number>();

  /** What to report of it, if anything. */
  note(reason: IgnoreReason, detail: string, now: number): Ignored | null {
    this.#counts.set(reason, (this.#counts.get(reason) ?? 0) + 1);
    if (now < (this.#reported.get(reason) ?? -Infinity) + quiet) return null;
    this.#reported.set(reason, now);
    return { kind: 'ignored', reason, detail };
  }

  counters(): Partial<Record<IgnoreReason, number>> {
    return Object.fromEntries(this.#counts);
  }
}
