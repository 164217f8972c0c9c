import type { Vid } from '../../domain/vid.ts';
import type { VsiId } from '../../domain/vsi-id.ts';
import { TokenBucket } from '../../base/token-bucket.ts';
import type { Clock } from '../../base/clock.ts';
import type { PortName } from '../../relay/contract/relay.ts';

/** A frame that tells the network in one VLAN where a VSI is. */
export interface Told {
  readonly vlan: Vid;
  /** whole, without a tag */
  readonly frame: Uint8Array;
}

/** `place`: that its MAC addresses are here; `addresses`: that too, and its IP addresses where its profile says so. */
export type Saying = 'place' | 'addresses';

export interface NetworkAnnouncerParts {
  readonly clock: Clock;
  /** frames that may be sent in a second */
  readonly perSecond: number;
  /** What is to be said of a VSI; nothing where it is not active at the port any more. */
  readonly frames: (vsiId: VsiId, port: PortName, saying: Saying) => readonly Told[];
  readonly send: (told: Told) => void;
}

/** What waits to be said of one VSI. */
interface Job {
  readonly port: PortName;
  readonly saying: Saying;
  /** in these VLANs alone; null: in all of the VSI's */
  readonly vlans: ReadonlySet<Vid> | null;
}

/** VSIs that wait for their turn, each once, and what is left to be said of the one whose turn it is. */
class Line {
  readonly jobs = new Map<VsiId, Job>();
  #current: { readonly vsiId: VsiId; readonly told: Told[] } | null = null;

  get busy(): boolean {
    return this.#current !== null || this.jobs.size > 0;
  }

  get vsis(): VsiId[] {
    return [...(this.#current ? [this.#current.vsiId] : []), ...this.jobs.keys()];
  }

  /** The frame that is the next one's turn, which stays so until `take`; null: there is none. */
  next(frames: NetworkAnnouncerParts['frames']): Told | null {
    for (;;) {
      const first = this.#current?.told[0];
      if (first) return first;
      this.#current = null;
      const [next] = this.jobs;
      if (!next) return null;
      const [vsiId, { port, saying, vlans }] = next;
      this.jobs.delete(vsiId);
      const told = frames(vsiId, port, saying);
      this.#current = { vsiId, told: told.filter(({ vlan }) => !vlans || vlans.has(vlan)) };
    }
  }

  take(): void {
    this.#current?.told.shift();
  }

  /** Whether it waited. */
  cancel(vsiId: VsiId): boolean {
    const isCurrent = this.#current?.vsiId === vsiId;
    if (isCurrent) this.#current = null;
    return this.jobs.delete(vsiId) || isCurrent;
  }

  clear(): void {
    this.jobs.clear();
    this.#current = null;
  }
}

/** How long after a flip the network is told once more: the first frame may have been lost. */
const againMs = 100;

/**
 * Tells the network where VSIs are: switches behind the network ports learn it from frames with a VM's address, and a VM
 * that has moved may be silent. What waits is bounded by the number of VSIs, is paced, and is dropped when its VSI moves on.
 * VSIs that have just moved come before those that are told of for another reason.
 */
export class NetworkAnnouncer {
  readonly #parts: NetworkAnnouncerParts;
  readonly #bucket: TokenBucket;
  readonly #moved = new Line();
  readonly #others = new Line();
  /** to be said again, the earliest first */
  readonly #again = new Map<VsiId, { readonly port: PortName; readonly due: number }>();
  #wake: { readonly at: number; readonly cancel: () => void } | null = null;
  readonly counters = { sent: 0, cancelled: 0 };

  constructor(parts: NetworkAnnouncerParts) {
    this.#parts = parts;
    this.#bucket = new TokenBucket({ rate: parts.perSecond, burst: Math.ceil(parts.perSecond / 25) });
  }

  /** VSIs of which something is still to be said. */
  get waiting(): number {
    return new Set([...this.#moved.vsis, ...this.#others.vsis, ...this.#again.keys()]).size;
  }

  /** The VSI is active at the port since now: told at once, and again a moment later. What was to be said before is not true any more. */
  flipped(vsiId: VsiId, port: PortName, saying: Saying = 'place'): void {
    this.cancel(vsiId);
    this.#moved.jobs.set(vsiId, { port, saying, vlans: null });
    this.#again.set(vsiId, { port, due: this.#parts.clock.now() + againMs });
    this.#run();
  }

  /** It is sure that the VSI stays where it is active. */
  confirmed(vsiId: VsiId, port: PortName): void {
    this.#moved.jobs.set(vsiId, { port, saying: 'addresses', vlans: null });
    this.#run();
  }

  /** A network port has taken over these VLANs: the network behind it knows none of the VSIs that are active here. */
  tookOver(vsis: Iterable<readonly [VsiId, PortName]>, vlans: ReadonlySet<Vid>): void {
    for (const [vsiId, port] of vsis) {
      const waits = this.#others.jobs.get(vsiId);
      const all = waits?.vlans ? new Set([...waits.vlans, ...vlans]) : vlans;
      this.#others.jobs.set(vsiId, { port, saying: 'place', vlans: all });
    }
    this.#run();
  }

  /** The VSI is not active where it was. */
  cancel(vsiId: VsiId): void {
    const waited = [this.#moved.cancel(vsiId), this.#others.cancel(vsiId), this.#again.delete(vsiId)];
    if (waited.includes(true)) this.counters.cancelled++;
  }

  stop(): void {
    this.#wake?.cancel();
    this.#wake = null;
    for (const queue of [this.#moved, this.#others, this.#again]) queue.clear();
  }

  #run(): void {
    const { clock, frames, send } = this.#parts;
    const now = clock.now();
    for (const [vsiId, { port, due }] of this.#again) {
      if (due > now) break;
      this.#again.delete(vsiId);
      if (!this.#moved.jobs.has(vsiId)) this.#moved.jobs.set(vsiId, { port, saying: 'place', vlans: null });
    }
    for (let line = this.#line(); line; line = this.#line()) {
      const told = line.next(frames);
      if (!told) continue;
      if (!this.#bucket.take(now)) break;
      line.take();
      this.counters.sent++;
      send(told);
    }
    this.#sleep(now);
  }

  /** Whose turn it is; null: nobody's. */
  #line(): Line | null {
    return [this.#moved, this.#others].find(({ busy }) => busy) ?? null;
  }

  #sleep(now: number): void {
    const [again] = this.#again.values();
    const turn = this.#line() ? this.#bucket.nextToken() : Infinity;
    const at = Math.max(now, Math.min(turn, again?.due ?? Infinity));
    if (this.#wake?.at === at) return;
    this.#wake?.cancel();
    this.#wake = null;
    if (at === Infinity) return;
    const cancel = this.#parts.clock.at(at, () => {
      this.#wake = null;
      this.#run();
    });
    this.#wake = { at, cancel };
  }
}
