import type { FilterInfo } from '../domain/filter-info.ts';
import type { MacAddress } from '../domain/mac-address.ts';
import type { PortProfile } from '../domain/port-profile.ts';
import { profileKey, type ProfileKey, type ProfileRef } from '../domain/profile-ref.ts';
import { nullVid, type NullVid, type Vid } from '../domain/vid.ts';
import type { VsiId } from '../domain/vsi-id.ts';
import type { VdpErrorCode } from '../protocol/vdp/association.ts';

/** What the manager's database grants a VSI. */
export interface Grant {
  readonly vsiId: VsiId;
  readonly macs: readonly MacAddress[];
  /** its IPv4 and IPv6 addresses, in canonical text; absent: none are known */
  readonly ips?: readonly string[] | undefined;
  readonly profile: ProfileKey;
  /** the stations it may appear at; absent: any */
  readonly hosts?: readonly string[] | undefined;
}

export interface Application {
  readonly vsiId: VsiId;
  readonly profile: ProfileRef;
  readonly filter: FilterInfo;
  /** the station's system name, by LLDP; null if it gave none */
  readonly station: string | null;
}

export type Admission =
  | {
      readonly admitted: true;
      readonly profile: PortProfile;
      readonly addresses: readonly MacAddress[];
      readonly ips: readonly string[];
      readonly wireVid: Vid | NullVid;
      /** the GroupID of all entries */
      readonly group: number | null;
      /** the PCP of all entries, if they have the same */
      readonly pcp: number | null;
      /** what the bridge answers: as asked */
      readonly filter: FilterInfo;
    }
  | { readonly admitted: false; readonly code: VdpErrorCode; readonly reason: string };

/**
 * Whether a request is granted. It never gets more than the database grants for this VSIID: its profile, its
 * addresses, at a station that it may appear at.
 *
 * The relay tells VSIs apart by port, wire VID and source address. So a filter without addresses gets the VSI's own
 * from the database, and not every frame of the VLAN; and all entries need one VID (null, or the profile's VLAN) and
 * one GroupID, as the relay knows one VLAN per VSI. A PCP is the station's own default for what it sends.
 *
 * The null VID leaves the VLAN to the bridge, and the VSI's frames untagged on the link. So it is answered as it came:
 * a station that is answered the profile's VID may tag with it, and lldpad from then on knows the VSI by that VID alone
 * and refuses libvirt, which goes on to say 0, the next request (to associate, to de-associate) on the spot.
 */
export function admit(
  application: Application,
  grant: Grant | undefined,
  profile: PortProfile | undefined,
): Admission {
  const { vsiId, filter, station } = application;
  if (!grant) return refuse('other failure', `VSI ${vsiId} is not in the manager's database`);
  const asked = profileKey(application.profile);
  if (asked !== grant.profile)
    return refuse(
      'other failure',
      `VSI ${vsiId} asked for profile ${asked}; its profile is ${grant.profile}`,
    );
  if (!profile) return refuse('other failure', `profile ${asked} is not in the manager's database`);
  if (grant.hosts && !(station && grant.hosts.includes(station)))
    return refuse('other failure', `VSI ${vsiId} may not appear at station ${station ?? '(unnamed)'}`);
  return admitFilter(filter, grant, profile);
}

function admitFilter(filter: FilterInfo, grant: Grant, profile: PortProfile): Admission {
  const vids = new Set(filter.entries.map(({ vid }) => vid));
  const [wireVid] = vids;
  if (vids.size !== 1 || wireVid === undefined || (wireVid !== nullVid && wireVid !== profile.vlan))
    return refuse(
      'invalid VID, GroupID or MAC address',
      `VSI ${grant.vsiId} asked for VLAN ${[...vids].join(', ')}; its profile has ${profile.vlan}`,
    );
  const [group, ...groups] = new Set(filter.entries.map((entry) => entry.group));
  if (groups.length)
    return refuse(
      'invalid VID, GroupID or MAC address',
      `VSI ${grant.vsiId} asked for groups ${[group, ...groups].join(', ')}; it can be in one`,
    );
  const asked = new Set(filter.entries.flatMap(({ mac }) => mac ?? []));
  for (const mac of asked)
    if (!grant.macs.includes(mac))
      return refuse(
        'invalid VID, GroupID or MAC address',
        `address ${mac} is not VSI ${grant.vsiId}'s; ${grant.macs.join(', ')} is`,
      );
  return {
    admitted: true,
    profile,
    addresses: asked.size ? [...asked] : grant.macs,
    ips: grant.ips ?? [],
    wireVid,
    group: group ?? null,
    pcp: filter.entries.every(({ pcp }) => pcp === filter.entries[0]?.pcp)
      ? (filter.entries[0]?.pcp ?? null)
      : null,
    filter,
  };
}

function refuse(code: VdpErrorCode, reason: string): Admission {
  return { admitted: false, code, reason };
}
