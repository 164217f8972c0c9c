import { isDeepStrictEqual } from 'node:util';
import { directions, stormKinds, vlansOf, type Policy } from '../../../domain/port-profile.ts';
import { vsiIdToBytes, type VsiId } from '../../../domain/vsi-id.ts';
import { SystemError } from '../../../linux/libc.ts';
import type { Capabilities } from '../../contract/capabilities.ts';
import { checkVsi, placesOf } from '../../contract/checks.ts';
import { occupancies, type Tenants } from '../../contract/policy.ts';
import {
  RelayError,
  type Place,
  type PortName,
  type RelayPort,
  type RelayVsi,
  type VsiCounters,
} from '../../contract/relay.ts';
import { Chains } from './chains.ts';
import { Claims } from './claims.ts';
import type { DataPlane } from '../memory/data-plane.ts';
import { destinationKey, ipKey, macWord, packSeen, packVsi, slotCount, u64 } from '../memory/layout.ts';
import { Occupants } from './occupants.ts';
import { Pool } from './pool.ts';
import type { PortTable } from './port-table.ts';
import { ProfileTable } from './profile-table.ts';
import { encodeRecord } from '../memory/record.ts';
import type { TenantTable } from './tenant-table.ts';
import { deleteEntry, entriesOf, readVsis, repairEntries, setEntry, type Entry } from './vsi-entries.ts';
import type { HeldVsi } from './held-vsi.ts';
import { repairIps } from './vsi-ips.ts';

interface Change {
  readonly id: VsiId;
  readonly old: HeldVsi | null;
  readonly now: HeldVsi | null;
}

/** The driver's VSIs. */
export class VsiTable {
  readonly #plane: DataPlane;
  readonly #ports: PortTable;
  readonly #tenants: TenantTable;
  readonly #vsis: Map<VsiId, HeldVsi>;
  readonly #ids = new Map<number, VsiId>();
  readonly #slots: Pool;
  readonly #profiles: ProfileTable;
  readonly #chains: Chains;
  readonly #claims = new Claims();
  readonly #untagged = new Map<PortName, Occupants>();
  readonly #now: () => bigint;
  #limits: Tenants = new Map();

  /** Takes over the VSIs that the data plane holds, and mends what a process left that ended between two stores. */
  constructor(
    plane: DataPlane,
    ports: PortTable,
    tenants: TenantTable,
    grace: () => void,
    now: () => bigint,
  ) {
    this.#plane = plane;
    this.#now = now;
    this.#ports = ports;
    this.#tenants = tenants;
    this.#vsis = readVsis(plane, (number) => ports.nameOf(number));
    const held = [...this.#vsis.values()];
    const vlans = new Map(held.map(({ slot, vsi }) => [slot, new Set<number>(vlansOf(vsi.policy))]));
    this.#slots = new Pool('VSI', slotCount, new Set(vlans.keys()), grace);
    this.#profiles = new ProfileTable(
      plane,
      held.map(({ profile }) => profile),
      grace,
    );
    const isIn = (slot: number, vlan: number) => vlans.get(slot)?.has(vlan) === true;
    this.#chains = new Chains(plane.members, plane.nodes, isIn, grace);
    for (const [slot, its] of vlans)
      for (const vlan of its) if (!this.#chains.has(slot, vlan)) this.#chains.add(slot, vlan);
    repairEntries(plane, held);
    repairIps(plane, held);
    for (const [id, { slot, vsi }] of this.#vsis) {
      this.#ids.set(slot, id);
      this.#claims.add(id, vsi);
    }
    this.#recount();
    for (const [name, port] of ports.held()) if (port.kind === 'station') this.#share(name);
  }

  /** Read back from the data plane. */
  held(): Map<VsiId, RelayVsi> {
    const held = readVsis(this.#plane, (number) => this.#ports.nameOf(number));
    return new Map(Array.from(held, ([id, { vsi }]) => [id, vsi]));
  }

  /** Whose slot this is. */
  idOf(slot: number): VsiId | null {
    return this.#ids.get(slot) ?? null;
  }

  ids(): Iterable<VsiId> {
    return this.#vsis.keys();
  }

  /** By each port that the VSI has a place at. */
  *counters(id: VsiId): Generator<[PortName, VsiCounters]> {
    const held = this.#vsis.get(id);
    if (!held) return;
    const { vsi, active, armed, released } = held;
    for (const [place, numbered] of [
      [vsi.places.active, active],
      [vsi.places.armed, armed],
      [vsi.places.released, released],
    ] as const)
      if (place && numbered) yield [place.port, this.#plane.slot(held.slot).counters(numbered.tally)];
  }

  /** See Relay.ruleFrames. */
  ruleFrames(id: VsiId): number[] | null {
    const held = this.#vsis.get(id);
    return held ? this.#profiles.ruleFrames(held.profile) : null;
  }

  /**
   * Reserves what the change needs; the returned function makes it, and cannot fail. `recheck`: the ports lost or
   * exchanged some, so that VSIs which stay as they are have to be looked at as well. `recount`: tenants' limits to the VM
   * came or went. `only`: no other VSI differs.
   * @throws RelayError
   */
  prepare(
    desired: ReadonlyMap<VsiId, RelayVsi>,
    ports: ReadonlyMap<PortName, RelayPort>,
    capabilities: Capabilities,
    { recheck, recount }: { readonly recheck: boolean; readonly recount: boolean },
    undo: DisposableStack,
    only: ReadonlySet<VsiId> = new Set([...desired.keys(), ...this.#vsis.keys()]),
  ): () => void {
    const changed: [VsiId, RelayVsi][] = [];
    const changes: Change[] = [];
    for (const id of only) {
      const vsi = desired.get(id);
      const old = this.#vsis.get(id);
      if (vsi) {
        const same = this.#isHeld(id, vsi);
        if (!same || recheck) checkVsi(id, vsi, ports, capabilities);
        if (!same) changed.push([id, vsi]);
      } else if (old) changes.push({ id, old, now: null });
    }
    this.#claims.check([
      ...changes.map(({ id, old }) => ({ id, old: old!.vsi, now: null })),
      ...changed.map(([id, now]) => ({ id, old: this.#vsis.get(id)?.vsi ?? null, now })),
    ]);
    for (const [id, vsi] of changed) {
      const old = this.#vsis.get(id) ?? null;
      const now = this.#place(vsi, old, undo);
      this.#record(id, now, old, undo);
      this.#chain(now, undo);
      changes.push({ id, old, now });
    }
    return () => this.#commit(changes, recount);
  }

  /** Whether nothing has to change for it; its mirror session may have moved to another port, its tenant have got limits. */
  #isHeld(id: VsiId, vsi: RelayVsi): boolean {
    const held = this.#vsis.get(id);
    if (!held || (held.vsi !== vsi && !isDeepStrictEqual(held.vsi, vsi))) return false;
    const { mirrorPort, tenant } = this.#numbersOf(vsi);
    return mirrorPort === held.mirrorPort && tenant === held.tenant;
  }

  #numbersOf({ policy: { mirror, tenant } }: RelayVsi): { mirrorPort: number; tenant: number } {
    return {
      mirrorPort: mirror ? this.#ports.sessionPort(mirror.session) : 0,
      tenant: this.#tenants.number(tenant),
    };
  }

  /** Numbers for the VSI: its slot, its profile, a tally for each place that keeps counting where it counted. */
  #place(vsi: RelayVsi, old: HeldVsi | null, undo: DisposableStack): HeldVsi {
    const slot = old?.slot ?? this.#slots.take();
    if (!old) undo.defer(() => this.#slots.putBack(slot));
    const referred = this.#numbersOf(vsi);
    const profile = this.#profiles.acquire(vsi.policy, referred);
    undo.defer(() => this.#profiles.release(profile));
    const before = old ? [old.active, old.armed, old.released].filter((place) => place !== null) : [];
    const numbers = placesOf(vsi).map((place) => this.#ports.number(place.port));
    const kept = before.filter((place) => numbers.includes(place.port));
    const free = [0, 1, 2, 3].filter((tally) => !kept.some((place) => place.tally === tally));
    free.sort(
      (a, b) => Number(before.some((p) => p.tally === a)) - Number(before.some((p) => p.tally === b)),
    );
    const numbered = (place: Place | null) => {
      if (!place) return null;
      const port = this.#ports.number(place.port);
      const tally = kept.find((other) => other.port === port)?.tally ?? free.shift()!;
      return { port, wireVid: place.wireVid, tally };
    };
    const { active, armed, released } = vsi.places;
    return {
      slot,
      profile,
      ...referred,
      vsi,
      active: numbered(active),
      armed: numbered(armed),
      released: numbered(released),
    };
  }

  #record(id: VsiId, now: HeldVsi, old: HeldVsi | null, undo: DisposableStack): void {
    const key = vsiIdToBytes(id);
    try {
      this.#setIps(now, old, undo);
      this.#plane.records.set(key, recordOf(now));
    } catch (error) {
      if (error instanceof SystemError) throw new RelayError(`VSI ${id}: ${error.message}`);
      throw error;
    }
    undo.defer(() => {
      if (old) this.#plane.records.set(key, recordOf(old));
      else this.#plane.records.delete(key);
    });
  }

  /** The VSI's own addresses, which may pass the guard a moment before the rest of it changes. */
  #setIps({ slot, vsi: { ips } }: HeldVsi, old: HeldVsi | null, undo: DisposableStack): void {
    const before = old?.vsi.ips ?? [];
    ips.forEach((ip, i) => {
      if (before[i] === ip) return;
      const key = ipKey(slot, ip);
      this.#plane.ips.set(key, u64(BigInt(i)));
      undo.defer(() => {
        const was = before.indexOf(ip);
        if (was < 0) this.#plane.ips.delete(key);
        else this.#plane.ips.set(key, u64(BigInt(was)));
      });
    });
  }

  /** Members are chained before they live and are in a VLAN: who meets them passes by. */
  #chain({ slot, vsi }: HeldVsi, undo: DisposableStack): void {
    for (const vlan of vlansOf(vsi.policy)) {
      if (this.#chains.has(slot, vlan)) continue;
      this.#chains.add(slot, vlan);
      undo.defer(() => this.#chains.remove(slot, vlan));
    }
  }

  /**
   * In this order, so that at no moment a frame is forwarded that neither the old nor the new state forwards, and
   * none is lost that both forward: sharing ends; new VSIs live, though nothing leads to them yet; each changed VSI
   * turns by one store; sources lead to their VSIs; the old VSIs and entries go; sharing begins.
   */
  #commit(changes: readonly Change[], recount: boolean): void {
    const plane = this.#plane;
    const stationed = recount ? new Set(this.#untagged.keys()) : new Set<PortName>();
    for (const name of this.#touched(changes)) stationed.add(name);
    const shared = new Map(Array.from(stationed, (name) => [name, this.#sharedVlan(name)]));
    this.#enter(changes);
    if (recount) this.#recount();
    for (const [name, vlan] of shared)
      if (this.#ports.isStation(name) && this.#sharedVlan(name) !== vlan)
        this.#ports.entry(name).shares = false;

    for (const { old, now } of changes) {
      if (!now) continue;
      this.#refresh(now, old);
      if (!old) this.#turn(now);
    }
    const kept = new Map<string, Entry>();
    for (const { now } of changes)
      if (now) for (const entry of entriesOf(plane, now)) kept.set(entry.id, entry);
    const stale = new Map<string, Entry>();
    for (const { old } of changes)
      if (old) for (const entry of entriesOf(plane, old)) stale.set(entry.id, entry);
    const fresh = [...kept.values()].filter(({ id, value }) => stale.get(id)?.value !== value);
    for (const entry of fresh) if (entry.map === plane.destinations) setEntry(entry);
    for (const { old, now } of changes) {
      if (!now || !old) continue;
      this.#leave(now, old);
      this.#turn(now);
      this.#fill(now, old);
    }
    for (const entry of fresh) if (entry.map === plane.sources) setEntry(entry);

    for (const { id, old, now } of changes) {
      if (old) this.#forsake(old, now);
      if (old && !now) this.#remove(id, old);
      if (now?.active) this.#unlearn(now.vsi);
    }
    for (const entry of stale.values()) if (!kept.has(entry.id)) deleteEntry(entry);
    for (const { old } of changes) if (old) this.#profiles.release(old.profile);
    for (const name of stationed) if (this.#ports.isStation(name)) this.#share(name);
  }

  /** The ports where untagged VSIs come, go or change. */
  #touched(changes: readonly Change[]): Set<PortName> {
    const names = new Set<PortName>();
    for (const { old, now } of changes)
      for (const held of [old, now]) if (held) for (const { port } of occupancies(held.vsi)) names.add(port);
    return names;
  }

  #enter(changes: readonly Change[]): void {
    for (const { old } of changes) if (old) this.#delist(old.vsi);
    for (const { id, now } of changes) {
      if (now) {
        this.#vsis.set(id, now);
        this.#ids.set(now.slot, id);
        this.#claims.add(id, now.vsi);
        this.#enlist(now.vsi);
      } else this.#vsis.delete(id);
    }
  }

  /** What may be set before the VSI turns: its own address for group frames, counters, claims and buckets that begin. */
  #refresh(now: HeldVsi, old: HeldVsi | null): void {
    const slot = this.#plane.slot(now.slot);
    slot.mac = macWord(now.vsi.addresses[0]!);
    const counting = old ? [old.active, old.armed, old.released] : [];
    for (const place of [now.active, now.armed, now.released]) {
      if (!place || counting.some((other) => other?.port === place.port)) continue;
      slot.countAnew(place.tally);
    }
    if (old) return;
    this.#plane.forgetClaimsOf(now.slot); // of a VSI before, whose process ended while it removed that
    slot.left = 0n;
    this.#fill(now, null);
  }

  /** Its own addresses, full buckets for what is limited otherwise than before, and a new count for another mirror. */
  #fill({ slot: number, vsi: { ips, policy } }: HeldVsi, old: HeldVsi | null): void {
    const slot = this.#plane.slot(number);
    const before = old?.vsi.policy;
    slot.ips = ips;
    for (const direction of directions)
      if (!isDeepStrictEqual(before?.rate[direction], policy.rate[direction])) slot.fillBucket(direction);
    for (const kind of stormKinds)
      if (!isDeepStrictEqual(before?.storm[kind], policy.storm[kind])) slot.fillStormBucket(kind);
    if (!isDeepStrictEqual(before?.mirror, policy.mirror)) slot.countMirroredAnew();
  }

  /** From here on the frames from a place that is released now are late ones, for a while. */
  #leave({ slot, released }: HeldVsi, old: HeldVsi): void {
    if (released && released.port === old.released?.port) return;
    const left = released && released.port === old.active?.port ? packSeen(released.port, this.#now()) : 0n;
    this.#plane.slot(slot).left = left;
  }

  /** The one store. */
  #turn({ slot, active, armed, profile }: HeldVsi): void {
    this.#plane.slot(slot).word = packVsi(active, armed, profile);
  }

  /** Takes the VSI out of the VLANs that it is not in any more, and from it the addresses that it has not. */
  #forsake(old: HeldVsi, now: HeldVsi | null): void {
    const vlans = now ? vlansOf(now.vsi.policy) : [];
    for (const vlan of vlansOf(old.vsi.policy))
      if (!vlans.includes(vlan)) this.#chains.remove(old.slot, vlan);
    for (const ip of old.vsi.ips) if (!now?.vsi.ips.includes(ip)) this.#plane.ips.delete(ipKey(old.slot, ip));
  }

  /** Its addresses are here, whatever was learned before. */
  #unlearn(vsi: RelayVsi): void {
    for (const mac of vsi.addresses)
      for (const vlan of vlansOf(vsi.policy)) this.#plane.learned.delete(destinationKey(mac, vlan));
  }

  #remove(id: VsiId, { slot }: HeldVsi): void {
    this.#plane.slot(slot).word = 0n;
    this.#plane.forgetClaimsOf(slot);
    this.#plane.records.delete(vsiIdToBytes(id));
    this.#ids.delete(slot);
    this.#slots.retire(slot);
  }

  /** Who shares group frames with whom, under the tenants' limits as they are now. */
  #recount(): void {
    this.#untagged.clear();
    this.#limits = this.#tenants.limits;
    for (const { vsi } of this.#vsis.values()) this.#enlist(vsi);
  }

  #enlist(vsi: RelayVsi): void {
    for (const { port, ...occupant } of occupancies(vsi)) {
      const occupants = this.#untagged.get(port) ?? new Occupants(this.#limits);
      this.#untagged.set(port, occupants);
      occupants.add(occupant);
    }
  }

  #delist(vsi: RelayVsi): void {
    this.#claims.delete(vsi);
    for (const { port, ...occupant } of occupancies(vsi)) this.#untagged.get(port)?.delete(occupant);
  }

  #sharedVlan(port: PortName): Policy['vlan'] | null {
    return this.#untagged.get(port)?.sharedVlan ?? null;
  }

  #share(port: PortName): void {
    this.#ports.entry(port).shares = this.#sharedVlan(port) !== null;
  }
}

function recordOf({ slot, released, vsi }: HeldVsi): Uint8Array {
  return encodeRecord({ slot, released, addresses: vsi.addresses, label: vsi.label });
}
