import type { Grant } from '../../domain/vsi.ts';
import type { FilterInfo } from '../../domain/filter-info.ts';
import type { MacAddress } from '../../domain/mac-address.ts';
import { policyOf, type Policy, type PortProfile } from '../../domain/port-profile.ts';
import { profileKey, type ProfileRef } from '../../domain/profile-ref.ts';
import { sameSystem } from '../../domain/system-name.ts';
import { nullVid, type NullVid, type Vid } from '../../domain/vid.ts';
import type { VsiId } from '../../domain/vsi-id.ts';
import type { VdpErrorCode } from '../../protocol/vdp/association.ts';
import { objection, type Capabilities } from '../../relay/contract/capabilities.ts';
import { atPlace } from './label.ts';
import type { Station } from './stations.ts';
import type { VsiEntry } from './vsi-entry.ts';

export interface Application {
  readonly vsiId: VsiId;
  readonly profile: ProfileRef;
  readonly filter: FilterInfo;
  /** null: none was met at the port yet, and what is there already goes on until one is */
  readonly station: Pick<Station, 'name'> | null;
}

export type Admission =
  | {
      readonly admitted: true;
      readonly profile: PortProfile;
      /** the profile's, with the PCP that the station asked for */
      readonly policy: Policy;
      readonly addresses: readonly MacAddress[];
      readonly ips: readonly string[];
      readonly wireVid: Vid | NullVid;
      /** what the bridge answers: as asked, with the VID chosen where the profile says so */
      readonly filter: FilterInfo;
    }
  | { readonly admitted: false; readonly code: VdpErrorCode; readonly reason: string };

/**
 * Whether a request is granted. It never gets more than the database grants for this VSIID: its profile, its
 * addresses, at a station that it may appear at.
 *
 * The relay tells VSIs apart by port, VID and source address. So a VSI gets all its addresses of the database, whichever
 * its station names, and not every frame of the VLAN: stations name the NIC's only, and a VM may have others besides, a
 * virtual router's (RFC 9568) for example. Those that are named come first: group frames go to the first. Its entries are in one group, and name the profile's VLAN, by its VID or the
 * null VID, and perhaps some of its trunk's VLANs by theirs; the trunk is the VSI's whether they do or not.
 *
 * The null VID leaves the VLAN to the bridge. Where the profile says `tagged`, the station is answered the VLAN's VID and
 * tags with it. Elsewhere the VID is answered as it came and the VSI's frames are untagged on the link: lldpad knows a
 * VSI by the VID of the answer alone, and refuses libvirt, which goes on to say 0, the next request on the spot.
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
  if (grant.hosts && station && !isAmong(grant.hosts, station.name))
    return refuse(
      'other failure',
      `VSI ${vsiId} may not appear at station ${station.name ?? '(unnamed)'}; ${hostsText(grant.hosts)}`,
    );
  return admitFilter(filter, grant, profile);
}

function isAmong(hosts: readonly string[], name: string | null): boolean {
  return name !== null && hosts.some((host) => sameSystem(host, name));
}

/** As many as a line has room for. */
function hostsText(hosts: readonly string[]): string {
  if (hosts.length === 0) return 'its list of hosts is empty';
  const [shown, more] = [hosts.slice(0, 4), hosts.length - 4];
  return `${shown.join(' or ')}${more > 0 ? ` or one of ${more} others` : ''} would be right`;
}

function admitFilter(filter: FilterInfo, grant: Grant, profile: PortProfile): Admission {
  const wrong = (reason: string) =>
    refuse('invalid VID, GroupID or MAC address', `VSI ${grant.vsiId} ${reason}`);
  const { entries } = filter;
  const vids = new Set(entries.map(({ vid }) => vid));
  const [vid, ...others] = [...vids].filter((vid) => vid === nullVid || !profile.trunk.includes(vid));
  if (others.length || vid === undefined || (vid !== nullVid && vid !== profile.vlan))
    return wrong(`asked for VLAN ${[...vids].join(', ')}; its profile has ${vlansOf(profile)}`);
  const [group, ...groups] = new Set(entries.map((entry) => entry.group));
  if (groups.length) return wrong(`asked for groups ${[group, ...groups].join(', ')}; it can be in one`);
  if (new Set(entries.map(({ vid, mac }) => `${vid} ${mac}`)).size < entries.length)
    return wrong('asked for the same frames twice; each entry once would be right');
  const asked = new Set(entries.flatMap(({ mac }) => mac ?? []));
  for (const mac of asked)
    if (!grant.macs.includes(mac))
      return refuse(
        'invalid VID, GroupID or MAC address',
        `address ${mac} is not VSI ${grant.vsiId}'s; ${grant.macs.join(', ')} is`,
      );
  const wireVid = profile.tagged ? profile.vlan : vid;
  return {
    admitted: true,
    profile,
    policy: policyFor(profile, filter),
    addresses: [...asked, ...grant.macs.filter((mac) => !asked.has(mac))],
    ips: grant.ips ?? [],
    wireVid,
    filter: {
      ...filter,
      entries: entries.map((entry) => (entry.vid === vid ? { ...entry, vid: wireVid } : entry)),
    },
  };
}

function vlansOf({ vlan, trunk }: PortProfile): string {
  return trunk.length ? `${vlan}, and besides it ${trunk.join(', ')}` : `${vlan}`;
}

/**
 * What the profile says of a VSI that its station describes so. The PCP of the entries for its VLAN, where it is the same
 * in all, is that of untagged frames, which the profile has to trust. VSIs of one profile and PCP have it as one object,
 * which is then kept once, and seen at a glance to be equal.
 */
export function policyFor(profile: PortProfile, { entries }: FilterInfo): Policy {
  const pcps = new Set(
    entries.flatMap(({ vid, pcp }) => (vid === nullVid || !profile.trunk.includes(vid) ? [pcp] : [])),
  );
  const [pcp] = pcps.size === 1 && profile.marking.pcp === 'trust' ? pcps : [];
  const known = policies.get(profile) ?? new Map<number | undefined, Policy>();
  policies.set(profile, known);
  const policy = known.get(pcp) ?? withPcp(policyOf(profile), pcp);
  known.set(pcp, policy);
  return policy;
}

const policies = new WeakMap<PortProfile, Map<number | undefined, Policy>>();

function withPcp(policy: Policy, defaultPcp: number | undefined): Policy {
  return defaultPcp === undefined ? policy : { ...policy, marking: { ...policy.marking, defaultPcp } };
}

/** An entry as it was admitted, attached as it was before. */
export function newEntry(
  before: VsiEntry | null,
  vsiId: VsiId,
  profile: ProfileRef,
  admission: Extract<Admission, { admitted: true }>,
): VsiEntry {
  return {
    vsiId,
    profile,
    policy: admission.policy,
    addresses: admission.addresses,
    ips: admission.ips,
    filter: atPlace(admission.filter, admission.wireVid),
    attachments: before?.attachments ?? new Map(),
    active: before?.active ?? null,
    flip: before?.flip ?? null,
    tally: before?.tally ?? null,
  };
}

/** What is granted, unless control frames come from an address of its: a VM's are ignored, and so whoever speaks would be. */
export function harmless(admission: Admission, speaks: (mac: MacAddress) => boolean): Admission {
  const taken = admission.admitted ? admission.addresses.find(speaks) : undefined;
  if (taken === undefined) return admission;
  return refuse(
    'invalid VID, GroupID or MAC address',
    `address ${taken} is a bridge port's, a station's or a host's own; another one would be right`,
  );
}

/** What is granted, unless the relay cannot do what it takes: a profile is never half-applied. */
export function feasible(admission: Admission, capabilities: Capabilities): Admission {
  const lack = admission.admitted ? objection(admission.policy, capabilities) : null;
  return lack === null ? admission : refuse('insufficient resources', lack);
}

function refuse(code: VdpErrorCode, reason: string): Admission {
  return { admitted: false, code, reason };
}
