import type { VsiId } from '../../domain/vsi-id.ts';
import type { Clock } from '../../base/clock.ts';
import type { PortName, Relay } from '../../relay/contract/relay.ts';
import { flip, places, undo, type FlipCause, type VsiEntry } from './vsi-entry.ts';

/** How often the source's place of a provisional flip is looked at, and of how many VSIs at a time. */
const look = { everyMs: 10, most: 64 } as const;

export interface FlipsParts {
  readonly clock: Clock;
  readonly relay: Relay;
  readonly entry: (vsiId: VsiId) => VsiEntry | null;
  /** whether the port's station is heard, and signs what it says */
  readonly isSigned: (port: PortName) => boolean;
  /** Makes a change of an entry. */
  readonly change: (vsiId: VsiId, change: (entry: VsiEntry) => VsiEntry | null) => void;
  readonly log: (level: 'info' | 'warn', message: string) => void;
}

/**
 * Who may flip a VSI before its destination's station has said that the VM runs there, and who may take that back. What
 * `places` and `passages` make of it is in vsi-entry.ts; here is whose word counts.
 *
 * The VM's frames at the source undo a flip where nobody else there could: the relay lets a VSI's last ones pass, so what it
 * drops as `moved` came later than that.
 */
export class Flips {
  readonly #parts: FlipsParts;
  /** provisional flips, and what the relay had dropped as `moved` at the source by then; the one looked at the longest ago is first */
  readonly #watched = new Map<VsiId, { readonly source: PortName; readonly moved: number }>();
  /** where a VM's announcement has turned out to be somebody else's */
  readonly #false = new Map<VsiId, PortName>();
  #cancel: (() => void) | null = null;
  readonly counters = { flipped: 0, confirmed: 0, undone: 0 };

  constructor(parts: FlipsParts) {
    this.#parts = parts;
  }

  /** How many flips are provisional and may be undone by frames. */
  get watched(): number {
    return this.#watched.size;
  }

  /** The source's station says that the VM has stopped to move, or that it goes on; only a signed one's word counts. */
  suspended(vsiId: VsiId, port: PortName, suspended: boolean): void {
    const entry = this.#parts.entry(vsiId);
    if (!entry || !this.#parts.isSigned(port)) return;
    if (suspended && entry.active === port) this.#flip(entry, 'stop');
    else if (!suspended && places(entry).released?.port === port) this.#undo(entry, `it goes on at ${port}`);
  }

  /** The manager says that the VM has stopped at its source. A signed station says so itself, and takes it back itself. */
  stopped(vsiId: VsiId): void {
    const entry = this.#parts.entry(vsiId);
    if (entry?.active && !this.#parts.isSigned(entry.active)) this.#flip(entry, 'manager');
  }

  /** The manager says that the migration has failed. */
  failed(vsiId: VsiId): void {
    const entry = this.#parts.entry(vsiId);
    if (entry) this.#undo(entry, 'its migration has failed');
  }

  /** The link of the port is down: what is active there and awaited elsewhere is taken to have left. */
  linkDown(vsis: readonly VsiEntry[], port: PortName): void {
    for (const entry of vsis) if (entry.active === port) this.#flip(entry, 'left');
  }

  /** Whether an announcement of the VM's at a port may be believed. */
  believes(vsiId: VsiId, port: PortName): boolean {
    return this.#false.get(vsiId) !== port;
  }

  /** An entry has changed. */
  changed(vsiId: VsiId, before: VsiEntry | null, after: VsiEntry | null): void {
    if (before && !before.flip && after?.flip) this.counters.flipped++;
    if (before?.flip && !after?.flip)
      if (after && after.active === before.active) this.counters.confirmed++;
      else this.counters.undone++;
    const source = after?.flip ? places(after).released?.port : undefined;
    const watched = this.#watched.get(vsiId);
    if (source === undefined) this.#watched.delete(vsiId);
    else if (watched?.source !== source) {
      this.#watched.set(vsiId, { source, moved: this.#moved(vsiId, source) });
      this.#lookLater();
    }
    // where it is reserved anew, or no more, it is another story
    const doubted = this.#false.get(vsiId);
    if (doubted !== undefined && !after?.attachments.has(doubted)) this.#false.delete(vsiId);
  }

  stop(): void {
    this.#cancel?.();
    this.#cancel = null;
    this.#watched.clear();
  }

  #flip(entry: VsiEntry, cause: FlipCause): void {
    const { armed } = places(entry);
    if (!armed) return;
    this.#parts.change(entry.vsiId, (now) => flip(now, cause));
    if (this.#parts.entry(entry.vsiId)?.flip === cause)
      this.#parts.log('info', `VSI ${entry.vsiId} is active at ${armed.port} for now: ${words[cause]}`);
  }

  #undo(entry: VsiEntry, why: string): void {
    const { flip: cause, active, vsiId } = entry;
    const source = places(entry).released?.port;
    if (!cause || source === undefined) return;
    if (cause === 'announcement' && active !== null) this.#false.set(vsiId, active);
    this.#parts.change(vsiId, undo);
    this.#parts.log('warn', `VSI ${vsiId} is active at ${source} again, and not at ${active}: ${why}`);
  }

  #lookLater(): void {
    if (this.#cancel || !this.#watched.size) return;
    const { clock } = this.#parts;
    this.#cancel = clock.at(clock.now() + look.everyMs, () => {
      this.#cancel = null;
      this.#look();
      this.#lookLater();
    });
  }

  #look(): void {
    for (const [vsiId, { source, moved }] of [...this.#watched].slice(0, look.most)) {
      const entry = this.#parts.entry(vsiId);
      const movedNow = this.#moved(vsiId, source);
      // a signed station that has said stop says also when it goes on; what came meanwhile says nothing once it is away
      const counts = entry && !(entry.flip === 'stop' && this.#parts.isSigned(source));
      this.#watched.delete(vsiId);
      this.#watched.set(vsiId, { source, moved: counts ? moved : movedNow });
      if (counts && movedNow > moved) this.#undo(entry, `it speaks at ${source}`);
    }
  }

  #moved(vsiId: VsiId, port: PortName): number {
    return this.#parts.relay.countersOf(vsiId).get(port)?.dropped.moved ?? 0;
  }
}

const words: Record<FlipCause, string> = {
  stop: 'it has stopped where it was',
  manager: 'it has stopped where it was, by the manager',
  announcement: 'it announces itself there',
  left: 'it has left where it was',
};
