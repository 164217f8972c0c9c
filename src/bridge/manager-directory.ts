import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { z } from 'zod';
import { ApiError } from '../api/api-error.ts';
import type { ApiClient, Revision, Stored, WatchEvent } from '../api/client.ts';
import { profileSchema } from '../api/profile.ts';
import { tenantSchema, type Tenant } from '../api/tenant.ts';
import { vsiSpecSchema, type Vsi, type VsiSpec } from '../api/vsi.ts';
import type { MacAddress } from '../domain/mac-address.ts';
import type { Migration } from '../domain/migration.ts';
import type { PortProfile, TenantLimits } from '../domain/port-profile.ts';
import { profileKey, type ProfileKey, type ProfileRef } from '../domain/profile-ref.ts';
import type { VsiId } from '../domain/vsi-id.ts';
import { ManagerUnreachable, type Directory, type Entitlement } from './directory.ts';
import { StateFile } from './state-file.ts';

/** What the directory tells of, as the agent takes it. */
export interface DirectoryListener {
  profileChanged(profile: PortProfile): void;
  /** all of them */
  tenantsChanged(tenants: ReadonlyMap<string, TenantLimits>): void;
  ipsChanged(vsiId: VsiId, ips: readonly string[]): void;
  withdrawn(what: { profile: ProfileKey } | { vsiId: VsiId }): void;
  /** for the first time, all that the manager grants is known */
  listed(): void;
  migrationOpened(vsiId: VsiId): void;
  /** the VM has stopped at its source, to go on at its destination */
  migrationStopped(vsiId: VsiId): void;
  /** a migration was aborted, or has failed */
  migrationEnded(vsiId: VsiId): void;
}

type Followed = 'tenants' | 'profiles' | 'vsis' | 'migrations';

const copySchema = z.object({
  tenants: z.array(tenantSchema),
  profiles: z.array(profileSchema),
  vsis: z.array(vsiSpecSchema),
});

/**
 * The manager's database as this bridge knows it: lists and watches tenants, profiles, VSIs and migrations, and keeps
 * a copy in a file, so that a bridge that starts while the manager is away still knows what it knew.
 */
export class ManagerDirectory implements Directory {
  readonly #api: ApiClient;
  readonly #file: StateFile<z.output<typeof copySchema>>;
  readonly #tenants = new Map<string, Tenant>();
  readonly #profiles = new Map<ProfileKey, PortProfile>();
  readonly #vsis = new Map<VsiId, VsiSpec>();
  readonly #migrations = new Map<string, Migration>();
  /** the last change of each that the watch has told */
  readonly #seen: Record<Followed, Revision> = { tenants: 0, profiles: 0, vsis: 0, migrations: 0 };
  readonly #unlisted = new Set<Followed>(['tenants', 'profiles', 'vsis']);
  #isListed = false;
  readonly #stop = new AbortController();
  readonly #warn: (message: string) => void;
  #listener: DirectoryListener | null = null;

  /** @throws an Error when the directory cannot be written */
  constructor(api: ApiClient, stateDirectory: string, warn: (message: string) => void) {
    mkdirSync(stateDirectory, { recursive: true, mode: 0o700 });
    this.#api = api;
    this.#warn = warn;
    this.#file = new StateFile(join(stateDirectory, 'directory.json'), copySchema, warn);
  }

  /** Starts from the copy, then follows the manager until `close`. */
  open(listener: DirectoryListener): void {
    this.#listener = listener;
    this.#load(listener);
    const { signal } = this.#stop;
    const follow = <Name extends Followed>(name: Name, changed: (event: WatchEvent<Name>) => void) =>
      void this.#api.watch(
        name,
        null,
        (event) => {
          if ('revision' in event) this.#seen[name] = event.revision;
          changed(event);
          if (event.kind === 'list') this.#unlisted.delete(name);
          if (!this.#isListed) this.#noteListed(listener);
        },
        signal,
      );
    follow('tenants', (event) => this.#tenantsChanged(event, listener));
    follow('profiles', (event) => {
      if (event.kind === 'disconnected') this.#warn(event.error);
      this.#profilesChanged(event, listener);
    });
    follow('vsis', (event) => this.#vsisChanged(event, listener));
    follow('migrations', (event) => this.#migrationsChanged(event, listener));
  }

  close(): void {
    this.#stop.abort();
    this.#file.close();
  }

  known(vsiId: VsiId, ref: ProfileRef): Entitlement | null {
    const kept = this.kept(vsiId, ref);
    return kept.grant && kept.profile ? kept : null;
  }

  /** A profile counts when the limits of its tenant are known: its VSIs are never without them. */
  kept(vsiId: VsiId, ref: ProfileRef): Entitlement {
    const grant = this.#vsis.get(vsiId);
    const profile = this.#profiles.get(profileKey(ref));
    return { grant, profile: profile && this.#tenants.has(profile.tenant) ? profile : undefined };
  }

  async fetch(vsiId: VsiId, ref: ProfileRef): Promise<void> {
    try {
      const key = profileKey(ref);
      const [vsi, profile] = await Promise.all([
        this.#api.get('vsis', vsiId),
        this.#api.get('profiles', key),
      ]);
      if (this.#isNews('vsis', this.#vsis.has(vsiId), vsi)) this.#vsis.set(vsiId, vsi.value);
      if (this.#isNews('profiles', this.#profiles.has(key), profile)) this.#profiles.set(key, profile.value);
      const { tenant } = this.#profiles.get(key) ?? {};
      if (tenant !== undefined) await this.#learnTenant(tenant);
      this.#changed();
    } catch (error) {
      if (error instanceof ApiError) throw new ManagerUnreachable(error.message);
      throw error;
    }
  }

  async #learnTenant(name: string): Promise<void> {
    if (this.#tenants.has(name)) return;
    const tenant = await this.#api.get('tenants', name);
    if (!this.#isNews('tenants', this.#tenants.has(name), tenant)) return;
    this.#tenants.set(name, tenant.value);
    this.#listener?.tenantsChanged(this.#tenants);
  }

  /**
   * Whether an answer tells more than the watch has. What is known is kept up to date by the watch, and may be newer; what
   * the watch has come past and is not known was deleted after the answer was given.
   */
  #isNews<T>(name: Followed, isKnown: boolean, answer: Stored<T> | null): answer is Stored<T> {
    return answer !== null && !isKnown && answer.revision >= this.#seen[name];
  }

  owners(mac: MacAddress): readonly VsiSpec[] {
    return [...this.#vsis.values()].filter(({ macs }) => macs.includes(mac));
  }

  followsAnnouncements(vsiId: VsiId): boolean {
    for (const { vsiId: of, strategy, state } of this.#migrations.values())
      if (of === vsiId && strategy === 'garp' && !moved.has(state)) return true;
    return false;
  }

  /** The lists are of different moments: what one of them names may come to another only after that. */
  #noteListed(listener: DirectoryListener): void {
    if (this.#unlisted.size) return;
    for (const { profile } of this.#vsis.values()) if (!this.#profiles.has(profile)) return;
    for (const { tenant } of this.#profiles.values()) if (!this.#tenants.has(tenant)) return;
    this.#isListed = true;
    listener.listed();
  }

  #tenantsChanged(event: WatchEvent<'tenants'>, listener: DirectoryListener): void {
    if (event.kind === 'list') {
      this.#tenants.clear();
      for (const { value } of event.items) this.#tenants.set(value.name, value);
    } else if (event.kind === 'put') this.#tenants.set(event.key, event.value);
    else if (event.kind === 'delete') this.#tenants.delete(event.key);
    else return;
    this.#changed();
    listener.tenantsChanged(this.#tenants);
  }

  #profilesChanged(event: WatchEvent<'profiles'>, listener: DirectoryListener): void {
    if (event.kind === 'list') {
      const keys = new Set(event.items.map(({ value }) => profileKey(value.ref)));
      for (const key of this.#profiles.keys()) if (!keys.has(key)) this.#withdrawProfile(key, listener);
      for (const { value } of event.items) this.#setProfile(value, listener);
    } else if (event.kind === 'put') this.#setProfile(event.value, listener);
    else if (event.kind === 'delete') this.#withdrawProfile(event.key as ProfileKey, listener);
  }

  #vsisChanged(event: WatchEvent<'vsis'>, listener: DirectoryListener): void {
    if (event.kind === 'list') {
      const ids = new Set(event.items.map(({ value }) => value.vsiId));
      for (const id of this.#vsis.keys()) if (!ids.has(id)) this.#withdrawVsi(id, listener);
      for (const { value } of event.items) this.#setVsi(value, listener);
    } else if (event.kind === 'put') this.#setVsi(event.value, listener);
    else if (event.kind === 'delete') this.#withdrawVsi(event.key as VsiId, listener);
  }

  #migrationsChanged(event: WatchEvent<'migrations'>, listener: DirectoryListener): void {
    if (event.kind === 'list') {
      this.#migrations.clear();
      for (const { value } of event.items) this.#migrations.set(value.id, value);
    } else if (event.kind === 'put') {
      const before = this.#migrations.get(event.key);
      this.#migrations.set(event.key, event.value);
      tellOf(before, event.value, listener);
    } else if (event.kind === 'delete') this.#migrations.delete(event.key);
  }

  #setProfile(profile: PortProfile, listener: DirectoryListener): void {
    this.#profiles.set(profileKey(profile.ref), profile);
    this.#changed();
    listener.profileChanged(profile);
  }

  #withdrawProfile(key: ProfileKey, listener: DirectoryListener): void {
    this.#profiles.delete(key);
    this.#changed();
    listener.withdrawn({ profile: key });
  }

  /** A VSI that is granted something else from now on has to ask again, but for its IP addresses. */
  #setVsi(vsi: Vsi, listener: DirectoryListener): void {
    const before = this.#vsis.get(vsi.vsiId);
    this.#vsis.set(vsi.vsiId, vsi);
    if (!isDeepStrictEqual(before?.ips, vsi.ips)) this.#changed();
    listener.ipsChanged(vsi.vsiId, vsi.ips ?? []);
    if (before && sameGrant(before, vsi)) return;
    this.#changed();
    if (before) listener.withdrawn({ vsiId: vsi.vsiId });
  }

  #withdrawVsi(vsiId: VsiId, listener: DirectoryListener): void {
    this.#vsis.delete(vsiId);
    this.#changed();
    listener.withdrawn({ vsiId });
  }

  #load(listener: DirectoryListener): void {
    const copy = this.#file.load();
    if (!copy) return;
    for (const tenant of copy.tenants) this.#tenants.set(tenant.name, tenant);
    for (const profile of copy.profiles) this.#profiles.set(profileKey(profile.ref), profile);
    for (const vsi of copy.vsis) this.#vsis.set(vsi.vsiId, vsi);
    listener.tenantsChanged(this.#tenants);
  }

  #changed(): void {
    this.#file.changed(() => ({
      tenants: [...this.#tenants.values()],
      profiles: [...this.#profiles.values()],
      vsis: [...this.#vsis.values()],
    }));
  }
}

const failed: ReadonlySet<Migration['state']> = new Set(['aborted', 'failed']);

/** What is new about a migration. */
function tellOf(before: Migration | undefined, after: Migration, listener: DirectoryListener): void {
  const { vsiId, strategy, state, times } = after;
  if (strategy === 'garp') {
    if (!before) listener.migrationOpened(vsiId);
    return;
  }
  if (state === 'switching' && times.stop !== undefined && before?.times.stop === undefined)
    listener.migrationStopped(vsiId);
  if (failed.has(state) && !(before && failed.has(before.state))) listener.migrationEnded(vsiId);
}

const moved: ReadonlySet<Migration['state']> = new Set(['active', 'released', 'aborted', 'failed']);

function sameGrant(a: VsiSpec, b: VsiSpec): boolean {
  const grant = ({ macs, profile, hosts }: VsiSpec) => JSON.stringify([macs, profile, hosts]);
  return grant(a) === grant(b);
}
