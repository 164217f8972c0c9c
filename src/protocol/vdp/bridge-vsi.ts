import type { FilterInfo } from '../../domain/filter-info.ts';
import type { ProfileRef } from '../../domain/profile-ref.ts';
import type { VsiId } from '../../domain/vsi-id.ts';
import { associationOf, type AssociateRequest, type Held } from './association.ts';
import { grants, sameProfile } from './filter.ts';

/** An association that the bridge holds. */
export interface BridgeVsi {
  readonly vsiId: VsiId;
  readonly association: Held;
  readonly profile: ProfileRef;
  /** as granted */
  readonly filter: FilterInfo;
  /** for `adopt`: the station has said that the VM is suspended; absent: what it has said is not known */
  readonly suspended?: true;
}

/** Of the same, when that was by the machine's clock. */
export interface SupervisedVsi extends BridgeVsi {
  /** since when it is associated so, as far as this machine knows */
  readonly since: number;
  /** since when its keep-alives are lost, and it is held all the same; null: they come in time */
  readonly heldSince: number | null;
}

/** Whether the request asks for what is held. The VID may be the granted one, or again be left to the bridge. */
export function renews(held: BridgeVsi, request: AssociateRequest): boolean {
  return (
    held.association === associationOf(request.mode) &&
    sameProfile(held.profile, request.profile) &&
    grants(held.filter, request.filter)
  );
}
