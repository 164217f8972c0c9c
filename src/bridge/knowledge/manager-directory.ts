import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { z } from 'zod';
import { ApiError } from '../../client/api-error.ts';
import type { ApiClient, Revision, Stored, WatchEvent } from '../../client/client.ts';
import { atRevision, isCursor, type Cursor } from '../../api/cursor.ts';
import { profileSchema } from '../../api/profile.ts';
import { tenantSchema } from '../../api/tenant.ts';
import type { Tenant } from '../../domain/tenant.ts';
import { vsiSpecSchema } from '../../api/vsi.ts';
import type { VsiSpec } from '../../domain/vsi.ts';
import type { MacAddress } from '../../domain/mac-address.ts';
import type { Migration } from '../../domain/migration.ts';
import type { PortProfile, TenantLimits } from '../../domain/port-profile.ts';
import { profileKey, type ProfileKey, type ProfileRef } from '../../domain/profile-ref.ts';
import type { VsiId } from '../../domain/vsi-id.ts';
import { Copy, type Changes, type KeptCopy } from './copy.ts';
import { ManagerUnreachable, type Directory, type Entitlement } from '../core/directory.ts';
import { keptAs } from '../../forms/tolerant.ts';
import { StateFile } from '../../local/state-file.ts';

/** What the directory tells of, as the agent takes it. */
export interface DirectoryListener {
  /** whether the VSI is attached at a port of this bridge */
  runs(vsiId: VsiId): boolean;
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

interface Followed {
  tenants: Tenant;
  profiles: PortProfile;
  vsis: VsiSpec;
}
type Kept = keyof Followed;

const keptSchema = <Value>(value: z.ZodType<Value>) => ({
  cursor: z.custom<Cursor>(isCursor).nullable(),
  since: z.int(),
  withheld: z.array(z.object({ key: z.string(), pending: value.nullable() })),
});

const copySchema = z.object({
  tenants: z.array(tenantSchema),
  profiles: z.array(profileSchema),
  vsis: z.array(vsiSpecSchema),
  /** of what database these are; an earlier Hairpin wrote none of it */
  database: z
    .object({
      tenants: z.object(keptSchema(tenantSchema)),
      profiles: z.object(keptSchema(profileSchema)),
      vsis: z.object(keptSchema(vsiSpecSchema)),
    })
    .optional(),
});
const unknownDatabase = { cursor: null, since: 0, withheld: [] };

/**
 * The manager's database as this bridge knows it: lists and watches tenants, profiles, VSIs and migrations, and keeps
 * a copy in a file, so that a bridge that starts while the manager is away still knows what it knew. What a database takes
 * away that is not the one of the copy, or an older state of it, is withheld from running VMs (see Copy).
 */
export class ManagerDirectory implements Directory {
  readonly #api: ApiClient;
  readonly #file: StateFile<z.output<typeof copySchema>>;
  readonly #tenants = new Copy<Tenant>({
    keyOf: ({ name }) => name,
    runs: ({ name }) =>
      [...this.#profiles.values.values()].some((profile) => profile.tenant === name && this.#isUsed(profile)),
    takesAway: () => false,
  });
  readonly #profiles = new Copy<PortProfile>({
    keyOf: ({ ref }) => profileKey(ref),
    runs: (profile) => this.#isUsed(profile),
    takesAway: (before, after) => vlansOf(before) !== vlansOf(after),
  });
  readonly #vsis = new Copy<VsiSpec>({
    keyOf: ({ vsiId }) => vsiId,
    runs: ({ vsiId }) => this.#listener?.runs(vsiId) === true,
    takesAway: (before, after) => !sameGrant(before, after),
  });
  readonly #migrations = new Map<string, Migration>();
  /** the last change of each that the watch has told */
  readonly #seen: Record<Kept, Revision> = { tenants: 0, profiles: 0, vsis: 0 };
  readonly #unlisted = new Set<Kept>(['tenants', 'profiles', 'vsis']);
  #isListed = false;
  readonly #stop = new AbortController();
  readonly #warn: (message: string) => void;
  #listener: DirectoryListener | null = null;

  /** @throws an Error when the directory cannot be written */
  constructor(api: ApiClient, stateDirectory: string, warn: (message: string) => void) {
    mkdirSync(stateDirectory, { recursive: true, mode: 0o700 });
    this.#api = api;
    this.#warn = warn;
    this.#file = new StateFile(join(stateDirectory, 'directory.json'), keptAs(copySchema), warn);
  }

  /** Starts from the copy, then follows the manager until `close`. */
  open(listener: DirectoryListener): void {
    this.#listener = listener;
    this.#load(listener);
    this.#follow('tenants', this.#tenants, (changes) => this.#changeTenants(changes, listener));
    this.#follow('profiles', this.#profiles, (changes) => this.#changeProfiles(changes, listener));
    this.#follow('vsis', this.#vsis, (changes) => this.#changeVsis(changes, listener));
    void this.#api.watch(
      'migrations',
      null,
      (event) => this.#migrationsChanged(event, listener),
      this.#stop.signal,
    );
  }

  #follow<Name extends Kept>(
    name: Name,
    copy: Copy<Followed[Name]>,
    change: (changes: Changes<Followed[Name]>) => void,
  ): void {
    let run: Cursor | null = null;
    const listener = this.#listener!;
    void this.#api.watch(
      name,
      null,
      (event) => {
        if (event.kind === 'disconnected') {
          if (name === 'profiles') this.#warn(event.error); // once is enough
          return;
        }
        if (event.kind === 'connected') {
          run = event.cursor;
          return;
        }
        this.#seen[name] = event.revision;
        const stored = event as unknown as ListOrChange<Followed[Name]>;
        if (stored.kind === 'list') {
          const before = copy.withheld.size;
          change(copy.list(stored));
          if (copy.withheld.size !== before) this.#tellWithheld(name, [...copy.withheld.keys()]);
          this.#unlisted.delete(name);
          this.#changed();
        } else {
          if (run) copy.seen(atRevision(run, event.revision));
          change(stored.kind === 'put' ? copy.put(stored.key, stored.value) : copy.delete(stored.key));
        }
        if (!this.#isListed) this.#noteListed(listener);
      },
      this.#stop.signal,
      copy.cursor,
    );
  }

  close(): void {
    this.#stop.abort();
    this.#file.write();
  }

  known(vsiId: VsiId, ref: ProfileRef): Entitlement | null {
    const kept = this.kept(vsiId, ref);
    return kept.grant && kept.profile ? kept : null;
  }

  /** A profile counts when the limits of its tenant are known: its VSIs are never without them. */
  kept(vsiId: VsiId, ref: ProfileRef): Entitlement {
    const grant = this.#vsis.values.get(vsiId);
    const profile = this.#profiles.values.get(profileKey(ref));
    return { grant, profile: profile && this.#tenants.values.has(profile.tenant) ? profile : undefined };
  }

  nameOf(vsiId: VsiId): string | undefined {
    return this.#vsis.values.get(vsiId)?.name;
  }

  /** What is kept in force though the manager's database takes it away, and why; without what runs no more. */
  withheld(): ReadonlyMap<string, string> {
    const listener = this.#listener;
    if (listener) {
      this.#changeVsis(this.#vsis.ended(), listener);
      this.#changeProfiles(this.#profiles.ended(), listener);
      this.#changeTenants(this.#tenants.ended(), listener);
    }
    const told = new Map<string, string>();
    const tell = (what: string, pending: unknown) =>
      told.set(
        what,
        `the manager's database ${pending === null ? 'lacks it' : 'has it otherwise'}, ${since}`,
      );
    for (const [key, pending] of this.#vsis.withheld)
      tell(`VSI ${key} (${this.#vsis.values.get(key)?.name})`, pending);
    for (const [key, pending] of this.#profiles.withheld) tell(`profile ${key}`, pending);
    for (const [key, pending] of this.#tenants.withheld) tell(`tenant ${key}`, pending);
    return told;
  }

  #tellWithheld(name: Kept, keys: readonly string[]): void {
    if (keys.length === 0) this.#warn(`of the manager's ${name}, all are in force as its database has them`);
    else
      this.#warn(
        `${keys.length} ${name} of running VMs are kept in force, which the manager's database takes away (${keys.slice(0, 5).join(', ')}), ${since}`,
      );
  }

  async fetch(vsiId: VsiId, ref: ProfileRef): Promise<void> {
    try {
      const key = profileKey(ref);
      const [vsi, profile] = await Promise.all([
        this.#api.get('vsis', vsiId),
        this.#api.get('profiles', key),
      ]);
      if (this.#isNews('vsis', this.#vsis.values.has(vsiId), vsi)) this.#vsis.values.set(vsiId, vsi.value);
      if (this.#isNews('profiles', this.#profiles.values.has(key), profile))
        this.#profiles.values.set(key, profile.value);
      const { tenant } = this.#profiles.values.get(key) ?? {};
      if (tenant !== undefined) await this.#learnTenant(tenant);
      this.#changed();
    } catch (error) {
      if (error instanceof ApiError) throw new ManagerUnreachable(error.message);
      throw error;
    }
  }

  async #learnTenant(name: string): Promise<void> {
    const { values } = this.#tenants;
    if (values.has(name)) return;
    const tenant = await this.#api.get('tenants', name);
    if (!this.#isNews('tenants', values.has(name), tenant)) return;
    values.set(name, tenant.value);
    this.#listener?.tenantsChanged(values);
  }

  /**
   * Whether an answer tells more than the watch has. What is known is kept up to date by the watch, and may be newer; what
   * the watch has come past and is not known was deleted after the answer was given.
   */
  #isNews<T>(name: Kept, isKnown: boolean, answer: Stored<T> | null): answer is Stored<T> {
    return answer !== null && !isKnown && answer.revision >= this.#seen[name];
  }

  owners(mac: MacAddress): readonly VsiSpec[] {
    return [...this.#vsis.values.values()].filter(({ macs }) => macs.includes(mac));
  }

  followsAnnouncements(vsiId: VsiId): boolean {
    for (const { vsiId: of, strategy, state } of this.#migrations.values())
      if (of === vsiId && strategy === 'garp' && !moved.has(state)) return true;
    return false;
  }

  /** The lists are of different moments: what one of them names may come to another only after that. */
  #noteListed(listener: DirectoryListener): void {
    if (this.#unlisted.size) return;
    for (const { profile } of this.#vsis.values.values()) if (!this.#profiles.values.has(profile)) return;
    for (const { tenant } of this.#profiles.values.values()) if (!this.#tenants.values.has(tenant)) return;
    this.#isListed = true;
    listener.listed();
  }

  /** Whether a VM here has the profile. */
  #isUsed({ ref }: PortProfile): boolean {
    const key = profileKey(ref);
    for (const { vsiId, profile } of this.#vsis.values.values())
      if (profile === key && this.#listener?.runs(vsiId)) return true;
    return false;
  }

  #changeTenants({ gone, set }: Changes<Tenant>, listener: DirectoryListener): void {
    const { values } = this.#tenants;
    if (!gone.length && !set.length) return;
    for (const name of gone) values.delete(name);
    for (const tenant of set) values.set(tenant.name, tenant);
    this.#changed();
    listener.tenantsChanged(values);
  }

  #changeProfiles({ gone, set }: Changes<PortProfile>, listener: DirectoryListener): void {
    for (const key of gone as ProfileKey[]) {
      this.#profiles.values.delete(key);
      this.#changed();
      listener.withdrawn({ profile: key });
    }
    for (const profile of set) {
      this.#profiles.values.set(profileKey(profile.ref), profile);
      this.#changed();
      listener.profileChanged(profile);
    }
  }

  #changeVsis({ gone, set }: Changes<VsiSpec>, listener: DirectoryListener): void {
    for (const vsiId of gone as VsiId[]) {
      this.#vsis.values.delete(vsiId);
      this.#changed();
      listener.withdrawn({ vsiId });
    }
    for (const vsi of set) this.#setVsi(vsi, listener);
  }

  /** A VSI that is granted something else from now on has to ask again, but for its IP addresses. */
  #setVsi(vsi: VsiSpec, listener: DirectoryListener): void {
    const before = this.#vsis.values.get(vsi.vsiId);
    this.#vsis.values.set(vsi.vsiId, vsi);
    if (!isDeepStrictEqual(before?.ips, vsi.ips)) this.#changed();
    listener.ipsChanged(vsi.vsiId, vsi.ips ?? []);
    if (before && sameGrant(before, vsi)) return;
    this.#changed();
    if (before) listener.withdrawn({ vsiId: vsi.vsiId });
  }

  #migrationsChanged(event: WatchEvent<'migrations'>, listener: DirectoryListener): void {
    if (event.kind === 'list') {
      const before = new Map(this.#migrations);
      this.#migrations.clear();
      for (const { value } of event.items) this.#migrations.set(value.id, value);
      // what became of those that were under way is news; the others are of before this agent's time
      for (const { value } of event.items) {
        const known = before.get(value.id);
        if (known) tellOf(known, value, listener);
      }
    } else if (event.kind === 'put') {
      const before = this.#migrations.get(event.key);
      this.#migrations.set(event.key, event.value);
      tellOf(before, event.value, listener);
    } else if (event.kind === 'delete') this.#migrations.delete(event.key);
  }

  #load(listener: DirectoryListener): void {
    const copy = this.#file.load();
    if (!copy) return;
    const { tenants, profiles, vsis, database } = copy;
    this.#tenants.load({ values: tenants, ...(database?.tenants ?? unknownDatabase) });
    this.#profiles.load({ values: profiles, ...(database?.profiles ?? unknownDatabase) });
    this.#vsis.load({ values: vsis, ...(database?.vsis ?? unknownDatabase) });
    listener.tenantsChanged(this.#tenants.values);
  }

  #changed(): void {
    this.#file.changed(() => {
      const [tenants, profiles, vsis] = [this.#tenants.kept, this.#profiles.kept, this.#vsis.kept];
      return {
        tenants: [...tenants.values],
        profiles: [...profiles.values],
        vsis: [...vsis.values],
        database: { tenants: standing(tenants), profiles: standing(profiles), vsis: standing(vsis) },
      };
    });
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

type ListOrChange<Value> =
  | ({ readonly kind: 'list' } & Parameters<Copy<Value>['list']>[0])
  | { readonly kind: 'put'; readonly key: string; readonly value: Value }
  | { readonly kind: 'delete'; readonly key: string };

function standing<Value>({ cursor, since, withheld }: KeptCopy<Value>) {
  return { cursor, since, withheld: [...withheld] };
}

const since =
  'since it came back empty, from an older copy, or as another one; "hairpin manager accept" puts it in force';

function vlansOf({ vlan, trunk, tagged }: PortProfile): string {
  return JSON.stringify([vlan, trunk, tagged]);
}

const moved: ReadonlySet<Migration['state']> = new Set(['active', 'released', 'aborted', 'failed']);

function sameGrant(a: VsiSpec, b: VsiSpec): boolean {
  const grant = ({ macs, profile, hosts }: VsiSpec) => JSON.stringify([macs, profile, hosts]);
  return grant(a) === grant(b);
}
