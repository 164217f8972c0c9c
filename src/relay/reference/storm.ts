import type { StormKind } from '../../domain/port-profile.ts';
import { isGroupFrame, type Frame } from './frame.ts';

/** Of which kind the frame is that a storm can be made of; `isKnown`: whether it is clear where its destination is. */
export function stormKindOf(frame: Frame, isKnown: () => boolean): StormKind | null {
  if (frame.destination === 'ff:ff:ff:ff:ff:ff') return 'broadcast';
  if (isGroupFrame(frame)) return 'multicast';
  return isKnown() ? null : 'unknown-unicast';
}
