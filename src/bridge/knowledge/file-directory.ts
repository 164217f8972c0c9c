import type { VsiSpec } from '../../domain/vsi.ts';
import type { MacAddress } from '../../domain/mac-address.ts';
import type { PortProfile } from '../../domain/port-profile.ts';
import { profileKey, type ProfileKey, type ProfileRef } from '../../domain/profile-ref.ts';
import type { VsiId } from '../../domain/vsi-id.ts';
import type { Directory, Entitlement } from '../core/directory.ts';

/** Profiles and VSIs that stand in the bridge's own configuration file: all there is to know, until the file is read again. */
export class FileDirectory implements Directory {
  #profiles: ReadonlyMap<ProfileKey, PortProfile> = new Map();
  #vsis: ReadonlyMap<VsiId, VsiSpec> = new Map();

  constructor(profiles: readonly PortProfile[], vsis: readonly VsiSpec[]) {
    this.replace(profiles, vsis);
  }

  /** What was there before is not known any more. */
  replace(profiles: readonly PortProfile[], vsis: readonly VsiSpec[]): void {
    this.#profiles = new Map(profiles.map((profile) => [profileKey(profile.ref), profile]));
    this.#vsis = new Map(vsis.map((vsi) => [vsi.vsiId, vsi]));
  }

  known(vsiId: VsiId, ref: ProfileRef): Entitlement {
    return { grant: this.#vsis.get(vsiId), profile: this.#profiles.get(profileKey(ref)) };
  }

  nameOf(vsiId: VsiId): string | undefined {
    return this.#vsis.get(vsiId)?.name;
  }

  kept(vsiId: VsiId, ref: ProfileRef): Entitlement {
    return this.known(vsiId, ref);
  }

  fetch(): Promise<void> {
    return Promise.resolve();
  }

  owners(mac: MacAddress): readonly VsiSpec[] {
    return [...this.#vsis.values()].filter(({ macs }) => macs.includes(mac));
  }

  /** Only a manager knows of migrations. */
  followsAnnouncements(): boolean {
    return false;
  }
}
