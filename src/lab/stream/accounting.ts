import type { Timestamp } from '../../domain/migration.ts';
import { answerSpan, intervalUs, type Answer, type Beacon, type Probe } from './datagram.ts';
import { SequenceWindow } from './sequence-window.ts';

export interface DirectionResult {
  readonly sent: number;
  /** different frames that arrived */
  readonly received: number;
  readonly lost: number;
  /** second copies that arrived */
  readonly duplicated: number;
  /** how long the longest gap was, and when; see StreamAccount */
  readonly gapMs: number;
  readonly gapStart: Timestamp;
  readonly gapEnd: Timestamp;
}

/** The VM's own silence, as the network was offered its frames. */
export interface OwnSilence {
  /** different beacons that entered the network; those that did not arrive were lost in it */
  readonly entered: number;
  /** the longest time between two of them */
  readonly gapMs: number;
  readonly gapStart: Timestamp;
  readonly gapEnd: Timestamp;
}

/** Where a probe left the network on its way to the VM, for the first time. */
export interface Exit {
  /** the place among those that were looked at */
  readonly by: number;
  readonly at: Timestamp;
}

/** What became of a probe that was sent. */
export interface ProbeFate {
  readonly sequence: number;
  /** by the VM's own word */
  readonly received: boolean;
  /** null: it did not leave where anybody looked */
  readonly left: Exit | null;
}

export interface StreamResult {
  readonly toVm: DirectionResult;
  readonly fromVm: DirectionResult;
  /**
   * What the network is not to blame for. It is more than the hypervisor's stop: an emulated CPU has to translate the
   * guest anew at its destination, which takes some 50 ms. Null where nobody looked where frames enter.
   */
  readonly own: OwnSilence | null;
  readonly probes: readonly ProbeFate[];
  /** by place, when the first probe left there that asks for silence; null: none did */
  readonly firstQuietExits: readonly (Timestamp | null)[];
}

/**
 * From what the peer sends and sees to what became of both streams. All is told by the beacons, whose arrival the
 * kernel has stamped: no time of the VM's is used, and no time at which this process came to read.
 *
 * - The gap from the VM is the longest time between the arrivals of two different beacons.
 * - The gap to the VM is the longest time over which the beacons' count of received probes stood still. Where the
 *   peer itself sent nothing at first, the time begins with its first probe, less one interval.
 * - A stream that had not come back when the last probe was sent has a gap until then.
 * - The VM's own silence is the longest time between two different beacons where they enter the network.
 * - Lost to the VM is what the VM does not name when it is asked, after the last probe.
 *
 * A VM that is to be silent sends no beacons, so the gaps tell nothing then; where and when probes left the network does.
 */
export class StreamAccount {
  readonly #run: bigint;
  readonly #toVm = new LongestGap();
  readonly #fromVm = new LongestGap();
  readonly #beacons = new SequenceWindow();
  readonly #entering = new LongestGap();
  readonly #entries = new SequenceWindow();
  #entered = 0;
  /** send times of probes since the count last grew, oldest first */
  #recent: Timestamp[] = [];
  /** the sequences of the probes that were sent, ascending */
  readonly #sent: number[] = [];
  readonly #answers = new Map<number, Answer>();
  readonly #left = new Map<number, Exit>();
  readonly #firstQuietExits: (Timestamp | null)[];
  #firstSent: Timestamp | null = null;
  #lastSent: Timestamp | null = null;
  #received = 0;
  #beaconsSeen = 0;
  #beaconsTwice = 0;
  #lowest = Infinity;

  /** @param exits how many places are looked at where probes leave the network */
  constructor(run: bigint, exits = 0) {
    this.#run = run;
    this.#firstQuietExits = Array.from({ length: exits }, () => null);
  }

  /** Both directions have been seen to work. */
  get flows(): boolean {
    return this.#received > 0;
  }

  probeSent(sequence: number, at: Timestamp): void {
    this.#sent.push(sequence);
    this.#firstSent ??= at;
    this.#lastSent = at;
    this.#recent.push(at);
  }

  /** @param at when the kernel received it */
  beaconReceived(beacon: Beacon, at: Timestamp): void {
    if (beacon.run !== this.#run) return;
    this.#lowest = Math.min(this.#lowest, beacon.sequence);
    if (this.#beacons.add(beacon.sequence)) {
      this.#beaconsSeen++;
      this.#fromVm.sign(at);
    } else this.#beaconsTwice++;
    if (beacon.distinct <= this.#received) return;
    this.#received = beacon.distinct;
    const last = this.#toVm.lastSign;
    const firstProbe = last === null ? undefined : this.#recent.find((sentAt) => sentAt > last);
    this.#toVm.sign(at, firstProbe === undefined ? undefined : firstProbe - intervalUs);
    this.#recent = this.#recent.filter((sentAt) => sentAt > at);
  }

  /** A probe was seen where it leaves the network. @param at when the kernel saw it there */
  probeLeft({ sequence, run, quiet }: Probe, exit: Exit): void {
    if (run !== this.#run) return;
    if (quiet) this.#firstQuietExits[exit.by] ??= exit.at;
    if (!this.#left.has(sequence)) this.#left.set(sequence, exit);
  }

  /** What the VM is still to be asked, when all probes are sent. */
  get unasked(): number[] {
    const spans = new Set(this.#sent.map((sequence) => sequence - (sequence % answerSpan)));
    return [...spans].filter((from) => !this.#answers.has(from));
  }

  answered(answer: Answer): void {
    if (answer.run === this.#run) this.#answers.set(answer.from, answer);
  }

  /** A beacon was seen where the VM's frames enter the network. @param at when the kernel received it there */
  beaconEntered(beacon: Beacon, at: Timestamp): void {
    if (beacon.run !== this.#run || !this.#entries.add(beacon.sequence)) return;
    this.#entered++;
    this.#entering.sign(at);
  }

  /** Probes that the VM was not asked for are taken for lost. */
  result(): StreamResult {
    const beaconsSent = this.#beaconsSeen === 0 ? 0 : this.#beacons.highest - this.#lowest + 1;
    const probes = this.#probes();
    const received = probes.filter((probe) => probe.received).length;
    const duplicated = Math.max(0, ...[...this.#answers.values()].map((answer) => answer.duplicated));
    return {
      toVm: this.#direction(this.#sent.length, received, duplicated, this.#toVm),
      fromVm: this.#direction(beaconsSent, this.#beaconsSeen, this.#beaconsTwice, this.#fromVm),
      own: this.#entered === 0 ? null : { entered: this.#entered, ...this.#gap(this.#entering) },
      probes,
      firstQuietExits: this.#firstQuietExits,
    };
  }

  #probes(): ProbeFate[] {
    const isReceived = (sequence: number): boolean => {
      const offset = sequence % answerSpan;
      const answer = this.#answers.get(sequence - offset);
      return answer !== undefined && (answer.received[offset >> 3]! & (1 << (offset & 7))) !== 0;
    };
    return this.#sent.map((sequence) => ({
      sequence,
      received: isReceived(sequence),
      left: this.#left.get(sequence) ?? null,
    }));
  }

  #direction(sent: number, received: number, duplicated: number, gap: LongestGap): DirectionResult {
    return { sent, received, lost: sent - received, duplicated, ...this.#gap(gap) };
  }

  #gap(gap: LongestGap): { gapMs: number; gapStart: Timestamp; gapEnd: Timestamp } {
    const { start, end } = gap.until(this.#firstSent ?? 0, this.#lastSent ?? 0);
    return { gapMs: (end - start) / 1000, gapStart: start, gapEnd: end };
  }
}

interface Gap {
  readonly start: Timestamp;
  readonly end: Timestamp;
}

/** The longest time between two signs of life. */
class LongestGap {
  #longest: Gap = { start: 0, end: 0 };
  lastSign: Timestamp | null = null;

  /** @param notBefore the silence before this sign did not begin earlier */
  sign(at: Timestamp, notBefore = -Infinity): void {
    if (this.lastSign !== null) this.#consider({ start: Math.max(this.lastSign, notBefore), end: at });
    this.lastSign = Math.max(this.lastSign ?? at, at);
  }

  /** The longest one if there was something to hear from `first` to `last`. */
  until(first: Timestamp, last: Timestamp): Gap {
    this.#consider({ start: this.lastSign ?? first, end: last });
    return this.#longest;
  }

  #consider(gap: Gap): void {
    if (gap.end - gap.start > this.#longest.end - this.#longest.start) this.#longest = gap;
  }
}
