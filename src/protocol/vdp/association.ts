import type { Association } from '../../domain/association.ts';
import type { FilterInfo } from '../../domain/filter-info.ts';
import type { ProfileRef } from '../../domain/profile-ref.ts';
import type { VsiId } from '../../domain/vsi-id.ts';

/** What a VDP association TLV asks for, or answers to (802.1Q 41.2.1). */
export const vdpModes = ['pre-associate', 'pre-associate-rr', 'associate', 'de-associate'] as const;
export type VdpMode = (typeof vdpModes)[number];
export type AssociateMode = Exclude<VdpMode, 'de-associate'>;

/** A request for, or an answer about, one VSI; the same in every dialect. */
export type VdpAssociation = VdpRequest | VdpAnswer;

interface Subject {
  readonly mode: VdpMode;
  readonly vsiId: VsiId;
  readonly profile: ProfileRef;
  readonly filter: FilterInfo;
}

/** From the station; a `de-associate` from the bridge is its own decision. */
export interface VdpRequest extends Subject {
  readonly kind: 'request';
  readonly hints: Hints;
}

export type AssociateRequest = VdpRequest & { readonly mode: AssociateMode };

export function isAssociate(request: VdpRequest): request is AssociateRequest {
  return request.mode !== 'de-associate';
}

/**
 * What the station knows of the VM (M and S bit, 802.1Q 41.2.3). Hairpin's station says by them what the bridge's flip needs:
 * see `src/station/agent.ts`. lldpad repeats those of a VSI's first request for ever; draft 0.2 has none.
 */
export interface Hints {
  /** the VM migrates to this station; from Hairpin's: and its interface there is up, so that frames for it wait in its queue */
  readonly migrating: boolean;
  /** the VM is suspended, or migrates away; from Hairpin's: it stands still for its switch-over, until this is false again */
  readonly suspended: boolean;
}

export const noHints: Hints = { migrating: false, suspended: false };

/** From the bridge; it repeats what it answers, with VID 0 replaced by the VID that the bridge chose. */
export interface VdpAnswer extends Subject {
  readonly kind: 'answer';
  /** null: granted */
  readonly refusal: Refusal | null;
}

export interface Refusal {
  readonly code: VdpErrorCode;
  /** what was held before is still held */
  readonly keep: boolean;
  /** to ask again is useless */
  readonly hard: boolean;
  /** in words, between a bridge and a station that are both Hairpin's */
  readonly reason?: string;
}

/** By the value on the wire (802.1Q 41.2.3). */
export const vdpErrorCodes = [
  'success',
  'invalid format',
  'insufficient resources',
  'unable to contact VSI manager',
  'other failure',
  'invalid VID, GroupID or MAC address',
] as const;
export type VdpErrorCode = Exclude<(typeof vdpErrorCodes)[number], 'success'>;

export type Held = Exclude<Association, 'none'>;
const held = {
  'pre-associate': 'pre-associated',
  'pre-associate-rr': 'pre-associated with resource reservation',
  associate: 'associated',
} as const satisfies Record<AssociateMode, Held>;

const modes = {
  'pre-associated': 'pre-associate',
  'pre-associated with resource reservation': 'pre-associate-rr',
  associated: 'associate',
} as const satisfies Record<Held, AssociateMode>;

/** What a granted request leads to. */
export function associationOf(mode: AssociateMode): Held {
  return held[mode];
}

/** What was asked for to get there. */
export function modeOf(association: Held): AssociateMode {
  return modes[association];
}
