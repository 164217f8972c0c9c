import { isDeepStrictEqual } from 'node:util';
import { policyOf, type PortProfile, type TenantLimits } from '../../domain/port-profile.ts';
import { profileKey, type ProfileKey } from '../../domain/profile-ref.ts';
import { nullVid, type NullVid, type Vid } from '../../domain/vid.ts';
import type { VsiId } from '../../domain/vsi-id.ts';
import { sameProfile } from '../../protocol/vdp/filter.ts';
import { objection } from '../../relay/contract/capabilities.ts';
import type { PortName } from '../../relay/contract/relay.ts';
import { admit, feasible, harmless, policyFor, type Admission, type Application } from './admission.ts';
import type { Commits } from './commits.ts';
import type { ConfiguredPorts } from './configured-ports.ts';
import type { Entitlement } from './directory.ts';
import type { EntryBook } from './entry-book.ts';
import { filterOf } from './label.ts';
import { unmirrored } from './mirror-sessions.ts';
import type { BridgeAgentParts } from './parts.ts';
import type { Reconciler } from './reconciler.ts';
import type { StationPorts } from './station-ports.ts';
import type { Change, Tenants } from './tenants.ts';
import type { Attachment, VsiEntry } from './vsi-entry.ts';

export interface EntitlementsParts extends Pick<BridgeAgentParts, 'relay' | 'directory' | 'changed' | 'log'> {
  readonly book: EntryBook;
  readonly tenants: Tenants;
  readonly configured: Pick<ConfiguredPorts, 'others'>;
  readonly ports: Pick<StationPorts, 'stationAt' | 'speaksFor'>;
  readonly reconciler: Pick<Reconciler, 'attempt'>;
  readonly commits: Pick<Commits, 'attempt' | 'letGo'>;
}

/** What the administrator grants: whether it covers what is asked for, and what becomes of the VSIs here when it changes. */
export class Entitlements {
  readonly #parts: EntitlementsParts;
  /** changes that the data plane cannot do, by what was changed; what was before is still in force */
  readonly #refused = new Map<string, string>();

  constructor(parts: EntitlementsParts) {
    this.#parts = parts;
  }

  /**
   * What the database has otherwise than it is in force, with the reason: the data plane cannot do it, no port carries it,
   * or it is withheld.
   */
  get refused(): ReadonlyMap<string, string> {
    const { directory, book, configured } = this.#parts;
    const withheld = directory.withheld?.() ?? new Map<string, string>();
    const mirrors = unmirrored(book.entries.values(), configured.others);
    return new Map([...this.#refused, ...mirrors, ...withheld]);
  }

  /**
   * What is granted, as far as the relay can do it. Where the profile has changed to what it cannot, a VSI that is here
   * goes on, and moves, with what is in force.
   */
  admit(application: Application, { grant, profile }: Entitlement): Admission {
    const granted = harmless(admit(application, grant, profile), (mac) => this.#parts.ports.speaksFor(mac));
    const admission = feasible(granted, this.#parts.relay.capabilities);
    const entry = this.#parts.book.get(application.vsiId);
    const isHeld = entry !== null && sameProfile(entry.profile, application.profile);
    if (admission.admitted || admission.code !== 'insufficient resources' || !profile || !isHeld)
      return admission;
    return admit(application, grant, { ...profile, ...entry.policy });
  }

  /**
   * What the profile says now: VSIs that have it otherwise get the new policy, each by one atomic write. A VSI whose frames
   * carry a VID on the link that is another VLAN's now has to ask again.
   */
  profileChanged(profile: PortProfile): void {
    const what = `profile ${profileKey(profile.ref)}`;
    const lack = objection(policyOf(profile), this.#parts.relay.capabilities);
    const users = this.#usersOf(profile);
    if (!users.length || lack !== null) {
      this.#settled(what, users.length ? lack : null);
      return;
    }
    for (const entry of users) {
      const named = entry.filter.entries.map(({ vid }) => vid);
      for (const [port, { wireVid }] of entry.attachments) {
        const lost = [wireVid, ...named].find((vid) => !carries(profile, vid));
        if (lost) this.#parts.commits.letGo(entry.vsiId, port, `its profile has no VLAN ${lost} any more`);
      }
    }
    const changed = this.#usersOf(profile).flatMap((entry) => {
      const policy = policyFor(profile, entry.filter);
      return isDeepStrictEqual(entry.policy, policy) ? [] : [{ before: entry, after: { ...entry, policy } }];
    });
    for (const { after } of changed) this.#parts.book.put(after.vsiId, after);
    const refusal = changed.length ? this.#parts.reconciler.attempt() : null;
    if (refusal !== null) for (const { before } of changed) this.#parts.book.put(before.vsiId, before);
    else if (changed.length) this.#parts.log('info', `${what} changed`);
    this.#settled(what, refusal);
  }

  #usersOf({ ref }: PortProfile): VsiEntry[] {
    return [...this.#parts.book.entries.values()].filter(({ profile }) => sameProfile(profile, ref));
  }

  /** All tenants that have limits now. What the data plane refuses of it leaves the tenant's limits as they were. */
  tenantsChanged(wanted: ReadonlyMap<string, TenantLimits>): void {
    const changes = this.#parts.tenants.changes(wanted);
    // one that is refused does not keep the others from theirs
    const together = changes.length > 1 && this.#limit(changes) === null;
    const outcomes = new Map(
      changes.map((change) => [`tenant ${change.name}`, together ? null : this.#limit([change])]),
    );
    for (const what of this.#refused.keys())
      if (what.startsWith('tenant ') && !outcomes.has(what)) this.#settled(what, null);
    for (const [what, refusal] of outcomes) this.#settled(what, refusal);
  }

  #limit(changes: readonly Change[]): string | null {
    const before = this.#parts.tenants.inForce;
    this.#parts.tenants.make(changes);
    const refusal = this.#parts.reconciler.attempt();
    if (refusal !== null) this.#parts.tenants.inForce = before;
    else
      this.#parts.log('info', `limits of tenant ${changes.map(({ name }) => name).join(', ')} are in force`);
    return refusal;
  }

  /** A change by the administrator is in force (null), or refused. */
  #settled(what: string, refusal: string | null): void {
    if ((this.#refused.get(what) ?? null) === refusal) return;
    if (refusal === null) this.#refused.delete(what);
    else {
      this.#refused.set(what, refusal);
      this.#parts.log('warn', `${what} changed, but the data plane refused: ${refusal}`);
    }
    this.#parts.changed(null);
  }

  /** The administrator took away the profile or the VSI, or changed what it is granted: what is not granted any more ends. */
  withdrawn(what: { profile: ProfileKey } | { vsiId: VsiId }): void {
    if ('vsiId' in what) {
      const entry = this.#parts.book.get(what.vsiId);
      if (entry) this.#reconsider(entry);
      return;
    }
    for (const entry of this.#parts.book.entries.values())
      if (profileKey(entry.profile) === what.profile) this.#reconsider(entry);
  }

  /** All is known that the administrator grants: what the data plane has held since before, and is not granted, ends. */
  listed(): void {
    for (const entry of this.#parts.book.entries.values()) this.#reconsider(entry);
  }

  /** The VM's IP addresses, for the address guard. */
  ipsChanged(vsiId: VsiId, ips: readonly string[]): void {
    this.#parts.commits.attempt(vsiId, null, (now) =>
      !now || isDeepStrictEqual(now.ips, ips) ? now : { ...now, ips },
    );
  }

  /** Another station was met at a port: one that is not who was taken to be there may not have what is held there. */
  stationMet(port: PortName): void {
    const { book, directory } = this.#parts;
    for (const entry of book.at(port))
      if (directory.known(entry.vsiId, entry.profile)) this.#reconsider(entry);
  }

  /** What has no addresses in its filter has all those that it is granted now. */
  #reconsider(entry: VsiEntry): void {
    const { vsiId, profile } = entry;
    const entitlement = this.#parts.directory.known(vsiId, profile);
    let { addresses } = entry;
    for (const [port, attachment] of entry.attachments) {
      const admission = entitlement && this.admit(this.held(entry, port, attachment), entitlement);
      if (admission?.admitted) addresses = admission.addresses;
      else this.#parts.commits.letGo(vsiId, port, admission?.reason ?? 'withdrawn');
    }
    if (!isDeepStrictEqual(addresses, entry.addresses))
      this.#parts.commits.attempt(vsiId, null, (now) => now && { ...now, addresses });
  }

  /** What a VSI holds at a port, as if it were asked for. */
  held(entry: VsiEntry, port: PortName, attachment: Attachment): Application {
    const { vsiId, profile } = entry;
    return {
      vsiId,
      profile,
      filter: filterOf(entry, attachment),
      station: this.#parts.ports.stationAt(port),
    };
  }
}

function carries({ vlan, trunk }: PortProfile, vid: Vid | NullVid): boolean {
  return vid === nullVid || vid === vlan || trunk.includes(vid);
}
