import type { FilterInfo } from '../../domain/filter-info.ts';
import type { ProfileRef } from '../../domain/profile-ref.ts';
import type { VsiId } from '../../domain/vsi-id.ts';
import type { AssociateMode, Hints } from './association.ts';
import type { Expiry, HeldChange } from './supervision.ts';

export type VdpBridgeOutput =
  /** To be answered under `token`. A later request for the same VSI makes the token void. */
  | {
      readonly kind: 'request';
      readonly token: number;
      readonly mode: AssociateMode;
      readonly vsiId: VsiId;
      readonly profile: ProfileRef;
      readonly filter: FilterInfo;
      readonly hints: Hints;
    }
  /** The station repeated what it holds already, and was answered. */
  | { readonly kind: 'renewed'; readonly vsiId: VsiId }
  /**
   * In what it holds, the station says otherwise than before whether the VM is suspended (the S hint). What an association
   * begins with is no news: lldpad repeats the hints of its first request for ever.
   */
  | { readonly kind: 'suspended'; readonly vsiId: VsiId; readonly suspended: boolean }
  | HeldChange
  /** The VSI has no association here any more, and none is being decided on: the relay must forget it. */
  | { readonly kind: 'released'; readonly vsiId: VsiId; readonly reason: ReleaseReason };

export type ReleaseReason =
  /** the station de-associated */
  | 'requested'
  | Expiry
  /** the agent did not answer within the resource wait delay, and nothing was held before */
  | 'resource wait expired'
  /** the agent refused a change without `keep` */
  | 'refused'
  /** the agent called `deassociate` */
  | 'by the bridge'
  /** another station is at the port now, and did not claim it */
  | 'station gone'
  /** two stations are at the port, and it is disabled */
  | 'second station';
