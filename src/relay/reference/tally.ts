import type { PortCounters, VsiCounters } from '../contract/relay.ts';
import { dropReasons, type DropReason } from '../../domain/drop-reason.ts';
import type { Direction } from '../../domain/port-profile.ts';

function none(): Record<DropReason, number> {
  return Object.fromEntries(dropReasons.map((reason) => [reason, 0])) as Record<DropReason, number>;
}

export class PortTally {
  framesIn = 0;
  framesOut = 0;
  readonly dropped = none();

  counters(): PortCounters {
    return { framesIn: this.framesIn, framesOut: this.framesOut, dropped: { ...this.dropped } };
  }
}

export class VsiTally {
  readonly #counts = { 'from-vm': { frames: 0, octets: 0 }, 'to-vm': { frames: 0, octets: 0 } };
  readonly dropped = none();
  #firstFrame: bigint | null = null;
  #lastFrame: bigint | null = null;

  accept(octets: number, now: bigint): void {
    this.count('from-vm', octets);
    this.#firstFrame ??= now;
    this.#lastFrame = now;
  }

  count(direction: Direction, octets: number): void {
    this.#counts[direction].frames++;
    this.#counts[direction].octets += octets;
  }

  counters(): VsiCounters {
    return {
      fromVm: { ...this.#counts['from-vm'] },
      toVm: { ...this.#counts['to-vm'] },
      dropped: { ...this.dropped },
      firstFrame: this.#firstFrame,
      lastFrame: this.#lastFrame,
    };
  }
}
