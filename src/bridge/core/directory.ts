import type { MacAddress } from '../../domain/mac-address.ts';
import type { PortProfile } from '../../domain/port-profile.ts';
import type { ProfileRef } from '../../domain/profile-ref.ts';
import type { VsiId } from '../../domain/vsi-id.ts';
import type { Grant } from '../../domain/vsi.ts';

/** What the manager's database says about one VSI; undefined where it has none. */
export interface Entitlement {
  readonly grant: Grant | undefined;
  readonly profile: PortProfile | undefined;
}

/** The bridge's view of the manager's database. */
export interface Directory {
  /** From the bridge's own copy, which the manager keeps up to date; null where the copy does not have all of it. */
  known(vsiId: VsiId, profile: ProfileRef): Entitlement | null;
  /** What the copy has, were it nothing: after a `fetch` that is all there is. */
  kept(vsiId: VsiId, profile: ProfileRef): Entitlement;
  /** Asks the manager, and keeps what it says, unless something newer is known by then. @throws ManagerUnreachable */
  fetch(vsiId: VsiId, profile: ProfileRef): Promise<void>;
  /** The VSIs that own an address, by the bridge's own copy. */
  owners(mac: MacAddress): readonly Grant[];
  /** Whether a migration of the VSI is open that an announcement may complete (strategy `garp`). */
  followsAnnouncements(vsiId: VsiId): boolean;
  /** The VM's name; undefined: it is not known. */
  nameOf?(vsiId: VsiId): string | undefined;
  /** What is in force though the database takes it away, with the reason; absent: nothing ever is. */
  withheld?(): ReadonlyMap<string, string>;
}

export class ManagerUnreachable extends Error {
  override name = 'ManagerUnreachable';
}
