import type { Timestamp } from '../../domain/migration.ts';
import { intervalUs, type Beacon } from './datagram.ts';
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

export interface StreamResult {
  readonly toVm: DirectionResult;
  readonly fromVm: DirectionResult;
  /**
   * What the network is not to blame for. It is more than the hypervisor's stop: an emulated CPU has to translate the
   * guest anew at its destination, which takes some 50 ms. Null where nobody looked where frames enter.
   */
  readonly own: OwnSilence | null;
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
 * - Lost to the VM is what the last beacon does not count; so beacons are waited for after the last probe.
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
  #sent = 0;
  #firstSent: Timestamp | null = null;
  #lastSent: Timestamp | null = null;
  #received = 0;
  #receivedTwice = 0;
  #beaconsSeen = 0;
  #beaconsTwice = 0;
  #lowest = Infinity;

  constructor(run: bigint) {
    this.#run = run;
  }

  /** Both directions have been seen to work. */
  get flows(): boolean {
    return this.#received > 0;
  }

  probeSent(at: Timestamp): void {
    this.#sent++;
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
    this.#receivedTwice = Math.max(this.#receivedTwice, beacon.duplicated);
    if (beacon.distinct <= this.#received) return;
    this.#received = beacon.distinct;
    const last = this.#toVm.lastSign;
    const firstProbe = last === null ? undefined : this.#recent.find((sentAt) => sentAt > last);
    this.#toVm.sign(at, firstProbe === undefined ? undefined : firstProbe - intervalUs);
    this.#recent = this.#recent.filter((sentAt) => sentAt > at);
  }

  /** A beacon was seen where the VM's frames enter the network. @param at when the kernel received it there */
  beaconEntered(beacon: Beacon, at: Timestamp): void {
    if (beacon.run !== this.#run || !this.#entries.add(beacon.sequence)) return;
    this.#entered++;
    this.#entering.sign(at);
  }

  result(): StreamResult {
    const beaconsSent = this.#beaconsSeen === 0 ? 0 : this.#beacons.highest - this.#lowest + 1;
    return {
      toVm: this.#direction(this.#sent, this.#received, this.#receivedTwice, this.#toVm),
      fromVm: this.#direction(beaconsSent, this.#beaconsSeen, this.#beaconsTwice, this.#fromVm),
      own: this.#entered === 0 ? null : { entered: this.#entered, ...this.#gap(this.#entering) },
    };
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
