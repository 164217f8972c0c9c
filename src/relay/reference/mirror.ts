import type { Direction, Mirror } from '../../domain/port-profile.ts';
import { concerns } from '../contract/policy.ts';
import { judge } from './access-list.ts';
import type { Frame } from './frame.ts';

/** One VSI's mirror, and how many of its frames were up for a copy. */
export class Mirroring {
  readonly mirror: Mirror;
  readonly #frames = { 'from-vm': 0, 'to-vm': 0 };

  constructor(mirror: Mirror) {
    this.mirror = mirror;
  }

  /** The copy of this frame; null if there is to be none. */
  copyOf(frame: Frame, direction: Direction, vlan: number): Uint8Array | null {
    const { filter, sample = 1, truncate } = this.mirror;
    if (!concerns(this.mirror.direction, direction)) return null;
    if (filter && !judge(filter, direction, frame, vlan).allowed) return null;
    if (this.#frames[direction]++ % sample !== 0) return null;
    return frame.untagged.slice(0, truncate);
  }
}
