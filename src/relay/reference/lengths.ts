import type { PortName } from '../contract/relay.ts';
import { headerLength, type Frame } from './frame.ts';

/** What each segment of a super-frame but the first has more on the link than in it: Ethernet, IPv4 and TCP headers. */
const segmentHeader = 54;

/** A frame, and that it becomes so many on the link (GSO). */
export interface Sized {
  readonly frame: Frame;
  readonly segments: number;
}

/** Octets without check sequences and tags. */
export function octetsOnLink({ frame, segments }: Sized): number {
  return frame.untagged.length + (segments - 1) * segmentHeader;
}

/** How long the frames are that ports send; any that nobody said sends frames of any length. */
export class Mtus {
  readonly #mtus = new Map<PortName, number>();

  /** In octets behind the Ethernet header. */
  set(port: PortName, mtu: number): void {
    this.#mtus.set(port, mtu);
  }

  /** Whether the port sends the first `octets` of the frame. A super-frame's segments fit all ports here. */
  fit(port: PortName, { frame, segments }: Sized, octets = Infinity): boolean {
    const mtu = this.#mtus.get(port) ?? Infinity;
    return segments > 1 || Math.min(frame.untagged.length, octets) <= mtu + headerLength;
  }
}
