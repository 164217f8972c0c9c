import {
  collections,
  type CollectionName,
  type Objects,
  type WritableName,
  type Writes,
} from '../../api/collections.ts';
import {
  addressTaken,
  ofProfileAndTenant,
  ofVsiAndProfile,
  sharedVlan,
  type Contradiction,
} from '../../domain/consistency.ts';
import type { Vsi, VsiSpec } from '../../domain/vsi.ts';
import type { MacAddress } from '../../domain/mac-address.ts';
import { vlansOf, type PortProfile } from '../../domain/port-profile.ts';
import { profileKey } from '../../domain/profile-ref.ts';
import type { Vid } from '../../domain/vid.ts';
import { vlansOutside } from '../../domain/vlan-range.ts';
import type { VsiId } from '../../domain/vsi-id.ts';
import type { Entry } from '../../store/store.ts';
import { addressKey, collectionPrefix, guardKey, objectKey } from './keys.ts';
import { endMigration } from './migration-entry.ts';
import { Refusal } from './refusal.ts';
import type { Transaction } from './transaction.ts';

/** What must hold between objects. A rule throws Refusal (409) and writes what the rules keep for themselves. */
interface Rules<Name extends WritableName> {
  put(transaction: Transaction, value: Writes[Name], before: Objects[Name] | null): Promise<void>;
  delete(transaction: Transaction, before: Objects[Name]): Promise<void>;
}

export const rules: { readonly [Name in WritableName]: Rules<Name> } = {
  bridges: { put: async () => {}, delete: async () => {} },

  tenants: {
    put: async (transaction, { name, vlans }) => {
      if (!vlans) return;
      const outside = (await all(transaction, 'profiles')).filter(
        (profile) => profile.tenant === name && vlansOutside(vlans, vlansOf(profile)).length,
      );
      if (outside.length === 0) return;
      const profiles = outside.map(
        (profile) => `${profileKey(profile.ref)} (VLAN ${vlansOutside(vlans, vlansOf(profile)).join(', ')})`,
      );
      throw new Refusal(
        409,
        `leaves out what the tenant's profiles have: ${listed(profiles)}; to move those first, or to name their VLANs, would be right`,
        'vlans',
      );
    },
    delete: async (transaction, { name }) => {
      const users = (await all(transaction, 'profiles')).filter(({ tenant }) => tenant === name);
      refuseIfUsed(
        `tenant ${name}`,
        'profile',
        users.map(({ ref }) => profileKey(ref)),
      );
    },
  },

  profiles: {
    put: async (transaction, profile, before) => {
      const tenant = await named(transaction, 'tenants', 'tenant', profile.tenant);
      refuseFirst(ofProfileAndTenant(profile, tenant));
      transaction.put(guardKey('profiles'), '');
      if (!before) return;
      const guardsAnew = profile.guards.address && !before.guards.address;
      if (before.tenant === profile.tenant && sameVlans(before, profile) && !guardsAnew) return;
      const vsis = await all(transaction, 'vsis');
      const users = vsis.filter(uses(profile));
      if (before.tenant !== profile.tenant)
        refuseIfUsed(
          `profile ${profileKey(profile.ref)} of tenant ${before.tenant}`,
          'VSI',
          names(users),
          'tenant',
        );
      if (guardsAnew) refuseUnguardable(profile, users);
      if (!sameVlans(before, profile)) await refuseSharedAddresses(transaction, profile, users, vsis);
    },
    delete: async (transaction, profile) => {
      const users = (await all(transaction, 'vsis')).filter(uses(profile));
      refuseIfUsed(`profile ${profileKey(profile.ref)}`, 'VSI', names(users));
    },
  },

  vsis: {
    put: async (transaction, vsi, before) => {
      const profile = await named(transaction, 'profiles', 'profile', vsi.profile);
      refuseFirst(ofVsiAndProfile(vsi, profile));
      for (const mac of vsi.macs) await claimAddress(transaction, mac, vsi, profile);
      for (const mac of before?.macs ?? [])
        if (!vsi.macs.includes(mac)) await releaseAddress(transaction, mac, vsi.vsiId);
      transaction.put(guardKey('vsis'), '');
    },
    delete: async (transaction, { vsiId, macs }) => {
      for (const mac of macs) await releaseAddress(transaction, mac, vsiId);
      await endMigration(transaction, vsiId, 'the VSI was deleted');
    },
  },
};

/** The object that the store holds under a collection. */
export function objectOf<Name extends CollectionName>(name: Name, { value }: Entry): Objects[Name] {
  return collections[name].schema.parse(JSON.parse(value));
}

async function find<Name extends WritableName>(transaction: Transaction, name: Name, key: string) {
  const entry = await transaction.get(objectKey(name, key));
  return entry && objectOf(name, entry);
}

/** What a field names. @throws Refusal if there is none */
async function named<Name extends WritableName>(
  transaction: Transaction,
  name: Name,
  field: string,
  key: string,
) {
  const object = await find(transaction, name, key);
  if (!object) throw new Refusal(409, `there is no ${field} ${key}; one that exists would be right`, field);
  return object;
}

async function all<Name extends 'profiles' | 'vsis'>(transaction: Transaction, name: Name) {
  const entries = await transaction.list(collectionPrefix(name), guardKey(name));
  return entries.map((entry) => objectOf(name, entry));
}

/** What the address guard compares with has to be known before it is on. */
function refuseUnguardable(profile: PortProfile, users: readonly Vsi[]): void {
  const without = users.filter(({ ips }) => !ips?.length);
  if (without.length === 0) return;
  throw new Refusal(
    409,
    `is on, and VSI ${listed(names(without))} of profile ${profileKey(profile.ref)} has no IP addresses; giving it its ips first would be right`,
    'guards.address',
  );
}

async function claimAddress(transaction: Transaction, mac: MacAddress, vsi: VsiSpec, profile: PortProfile) {
  const holders = await holdersOf(transaction, mac);
  for (const holder of holders) {
    const other = holder === vsi.vsiId ? null : await find(transaction, 'vsis', holder);
    const theirs = other && (await find(transaction, 'profiles', other.profile));
    const vlan = theirs && sharedVlan(theirs, profile);
    if (vlan) throw new Refusal(409, addressTaken(mac, vlan, other), 'macs');
  }
  if (!holders.includes(vsi.vsiId)) transaction.put(addressKey(mac), JSON.stringify([...holders, vsi.vsiId]));
}

async function releaseAddress(transaction: Transaction, mac: MacAddress, vsiId: VsiId) {
  const holders = (await holdersOf(transaction, mac)).filter((holder) => holder !== vsiId);
  transaction.put(addressKey(mac), holders.length > 0 ? JSON.stringify(holders) : null);
}

async function holdersOf(transaction: Transaction, mac: MacAddress): Promise<readonly VsiId[]> {
  const entry = await transaction.get(addressKey(mac));
  return entry ? (JSON.parse(entry.value) as VsiId[]) : [];
}

/** A profile that changes its VLANs takes its VSIs along, to where others may have their addresses. */
async function refuseSharedAddresses(
  transaction: Transaction,
  profile: PortProfile,
  users: readonly Vsi[],
  vsis: readonly Vsi[],
) {
  const own = profileKey(profile.ref);
  const there = new Map<string, Vid>();
  for (const other of await all(transaction, 'profiles')) {
    const vlan = sharedVlan(other, profile);
    if (vlan && profileKey(other.ref) !== own) there.set(profileKey(other.ref), vlan);
  }
  const arriving = new Set(users.flatMap(({ macs }) => macs));
  for (const vsi of vsis) {
    const vlan = there.get(vsi.profile);
    const mac = vlan && vsi.macs.find((each) => arriving.has(each));
    if (mac) throw new Refusal(409, addressTaken(mac, vlan, vsi), vlan === profile.vlan ? 'vlan' : 'trunk');
  }
}

function refuseFirst([found]: Iterable<Contradiction>): void {
  if (found) throw new Refusal(409, found.message, found.field);
}

function sameVlans(a: PortProfile, b: PortProfile): boolean {
  return vlansOf(a).join() === vlansOf(b).join();
}

function refuseIfUsed(what: string, kind: string, users: readonly string[], field?: string): void {
  if (users.length === 0) return;
  throw new Refusal(409, `${what} is used by ${kind} ${listed(users)}; move those first`, field);
}

function listed(users: readonly string[]): string {
  return users.slice(0, 5).join(', ') + (users.length > 5 ? ` and ${users.length - 5} more` : '');
}

function uses({ ref }: PortProfile): (vsi: Vsi) => boolean {
  const key = profileKey(ref);
  return ({ profile }) => profile === key;
}

function names(vsis: readonly Vsi[]): string[] {
  return vsis.map(({ vsiId, name }) => `${vsiId} (${name})`);
}
