import { isGroup, macToBytes } from '../../domain/mac-address.ts';
import { vlansOf, type Direction, type RateLimit } from '../../domain/port-profile.ts';
import type { NullVid, Vid } from '../../domain/vid.ts';
import type { VsiId } from '../../domain/vsi-id.ts';
import { features, type Capabilities } from '../contract/capabilities.ts';
import { checkBridge, checkClaims, checkTenants, checkVsi } from '../contract/checks.ts';
import { limits } from '../../domain/limits.ts';
import { bucketOf, occupancies, sharedVlan } from '../contract/policy.ts';
import {
  defaultAgeingTime,
  type DropReason,
  type DropSample,
  type Place,
  type PortName,
  type Relay,
  type RelayCounters,
  type RelayEvent,
  type RelayState,
  type VsiCounters,
} from '../contract/relay.ts';
import { judge } from './access-list.ts';
import { isAnnouncement } from './announcements.ts';
import { DropWatch, sampleOctets } from './drops.ts';
import { type TokenBucket, Buckets } from './token-bucket.ts';
import { dress, isControl, isGroupFrame, parseFrame, type Frame } from './frame.ts';
import { guardAgainst } from './guards.ts';
import { HeldPort } from './held-port.ts';
import { HeldVsi } from './held-vsi.ts';
import { isForHost } from './host.ts';
import { LearnedAddresses } from './learning.ts';
import { Mtus, octetsOnLink } from './lengths.ts';
import { LinkLocals } from './link-locals.ts';
import { mark } from './marking.ts';
import { stormKindOf } from './storm.ts';
import { Strangers } from './strangers.ts';

/** For so long frames from a place that a VSI has left are still forwarded, in ns. */
const lateFor = 100_000_000n;

/** A frame that leaves by a port; null: that the switch's own stack gets. */
export interface Emission {
  readonly port: PortName | null;
  readonly frame: Uint8Array;
}

/** A frame that came in, where and when, and the copies made of it so far. */
interface Entry {
  readonly frame: Frame;
  readonly port: PortName;
  readonly now: bigint;
  /** that it is of: a super-frame (GSO) becomes so many frames on the link */
  readonly segments: number;
  readonly emissions: Emission[];
}

/** A frame on its way within its VLAN; `sender`: null if it came from the network. */
interface Passage extends Entry {
  readonly sender: VsiId | null;
  readonly vlan: number;
  /** station ports that have had the one copy for all their VSIs */
  readonly served: Set<PortName>;
}

/**
 * The relay in memory: the contract of `Relay` as a program to read, and the switch of the simulated lab. It has no
 * queues, so shapers and guarantees, which take effect in queues only, do not show in it.
 */
export class ReferenceRelay implements Relay {
  readonly capabilities: Capabilities = {
    relay: 'reference',
    features: new Set(features),
    rules: limits.rules,
  };
  #ports = new Map<PortName, HeldPort>();
  #vsis = new Map<VsiId, HeldVsi>();
  #tenants: RelayState['tenants'] = new Map();
  #networkPorts: RelayState['networkPorts'] = new Map();
  #tenantRates = new Map<string, Buckets<Direction, RateLimit>>();
  #ageingTime = defaultAgeingTime;
  #learned = new LearnedAddresses();
  #linkLocals = new LinkLocals();
  readonly #mtus = new Mtus();
  #strangers = new Strangers();
  readonly #listeners = new Set<(event: RelayEvent) => void>();
  readonly #dropWatch = new DropWatch();
  readonly #now: () => bigint;
  readonly #emit: (emission: Emission) => void;

  /**
   * @param now the clock that frames come by, in ns
   * @param emit gets what leaves by itself, and not because a frame came in (`tellNetwork`)
   */
  constructor(now = () => process.hrtime.bigint(), emit: (emission: Emission) => void = () => {}) {
    this.#now = now;
    this.#emit = emit;
  }

  held(): RelayState {
    return {
      ports: new Map(Array.from(this.#ports, ([name, { port }]) => [name, port])),
      vsis: new Map(Array.from(this.#vsis, ([id, { vsi }]) => [id, vsi])),
      tenants: this.#tenants,
      networkPorts: this.#networkPorts,
      ageingTime: this.#ageingTime,
    };
  }

  apply(desired: RelayState): void {
    checkBridge(desired);
    checkTenants(desired.tenants);
    for (const [id, vsi] of desired.vsis) checkVsi(id, vsi, desired.ports, this.capabilities);
    checkClaims(desired.vsis);
    const { ports, vsis, tenants, networkPorts, ageingTime } = desired;
    const now = this.#now();
    const heldPorts = this.#ports;
    const heldVsis = this.#vsis;
    const heldRates = this.#tenantRates;
    this.#ports = new Map(
      Array.from(ports, ([name, port]) => [name, new HeldPort(port, heldPorts.get(name))]),
    );
    this.#vsis = new Map(Array.from(vsis, ([id, vsi]) => [id, new HeldVsi(vsi, now, heldVsis.get(id))]));
    this.#tenants = new Map(tenants);
    this.#tenantRates = new Map(
      Array.from(tenants, ([name, { rate }]) => [name, new Buckets(rate, bucketOf, heldRates.get(name))]),
    );
    this.#networkPorts = new Map(networkPorts);
    this.#ageingTime = ageingTime;
    for (const [id, { linkLocals }] of heldVsis) if (!vsis.has(id)) this.#linkLocals.release(linkLocals);
    this.#strangers.keepPorts((name) => ports.has(name));
    for (const heard of [this.#learned, this.#linkLocals])
      heard.keepPorts((name) => ports.get(name)?.kind === 'network');
    for (const { addresses, places, policy } of vsis.values())
      if (places.active)
        for (const mac of addresses) for (const vlan of vlansOf(policy)) this.#learned.forget(mac, vlan);
  }

  counters(): RelayCounters {
    return {
      ports: this.portCounters(),
      vsis: new Map(Array.from(this.#vsis.keys(), (id) => [id, this.countersOf(id)])),
      strangers: this.#strangers.all(),
    };
  }

  portCounters(): RelayCounters['ports'] {
    return new Map(Array.from(this.#ports, ([name, { tally }]) => [name, tally.counters()]));
  }

  countersOf(vsiId: VsiId): ReadonlyMap<PortName, VsiCounters> {
    const { tallies = [] } = this.#vsis.get(vsiId) ?? {};
    return new Map(Array.from(tallies, ([port, tally]) => [port, tally.counters()]));
  }

  ruleFrames(vsi: VsiId): readonly number[] | null {
    return this.#vsis.get(vsi)?.ruleFrames.slice() ?? null;
  }

  tellNetwork(vlan: Vid, bytes: Uint8Array): void {
    const frame = parseFrame(bytes);
    const port = this.#networkPorts.get(vlan);
    if (!frame || port === undefined) return;
    this.#emit({ port, frame: dress(frame, tagAt(this.#ports.get(port)!, vlan), null) });
  }

  /** Ports are names here, and have no interface. */
  rebind(): void {}

  watch(listener: (event: RelayEvent) => void): void {
    this.#listeners.add(listener);
  }

  watchDrops(listener: (drop: DropSample) => void): () => void {
    return this.#dropWatch.add(listener);
  }

  close(): void {
    this.#listeners.clear();
    this.#dropWatch.clear();
  }

  destroy(): void {
    this.close();
    this.#ports.clear();
    this.#vsis.clear();
    this.#tenants = new Map();
    this.#tenantRates.clear();
    this.#networkPorts = new Map();
    this.#learned = new LearnedAddresses();
    this.#linkLocals = new LinkLocals();
    this.#strangers = new Strangers();
  }

  /** In octets behind the Ethernet header; a port is taken to send frames of any length until it is said. */
  setMtu(port: PortName, mtu: number): void {
    this.#mtus.set(port, mtu);
  }

  /**
   * What leaves, and where, when `bytes` enter `port` at `now` (ns of the clock that counters and events use). `segments`:
   * of a super-frame, whose segments fit every port here.
   */
  receive(port: PortName, bytes: Uint8Array, now: bigint, segments = 1): Emission[] {
    const held = this.#ports.get(port);
    const frame = parseFrame(bytes);
    if (!held || !frame) return [];
    const host = held.port.kind === 'network' ? held.port.host : undefined;
    if (isControl(frame)) return isForHost(frame, null, host) ? [{ port: null, frame: bytes.slice() }] : [];
    held.tally.framesIn++;
    const entry: Entry = { frame, port, now, segments, emissions: [] };
    const passage = this.#enter(entry, held, bytes);
    if (passage && isGroupFrame(frame)) this.#toGroup(passage);
    else if (passage) this.#toOne(passage);
    return entry.emissions;
  }

  #enter(entry: Entry, held: HeldPort, bytes: Uint8Array): Passage | null {
    // behind such tags nobody here looks, but receivers do: VID 0 is nothing to them, and the next port may lay one bare
    if (entry.frame.foreign) {
      this.#drop(entry, 'vlan');
      return null;
    }
    return held.port.kind === 'station' ? this.#fromStation(entry) : this.#fromNetwork(entry, held, bytes);
  }

  #fromStation(entry: Entry): Passage | null {
    const { frame, port, now } = entry;
    const found = this.#sender(entry);
    if (!found) {
      this.#strangers.remember(port, frame, now);
      this.#announce(entry, 'unassociated', this.#ports.get(port)!.announcements);
      this.#drop(entry, 'unassociated');
      return null;
    }
    const { sender, held, role, vlan } = found;
    // a VSI's last frames are still on their way when it turns
    if (role !== 'active' && !(role === 'released' && held.leftWithin(lateFor, now))) {
      const reason = role === 'armed' ? 'armed' : 'moved';
      // of a VSI that is awaited here, no other keeps the agent from hearing
      const bucket = role === 'armed' ? held.announcements : this.#ports.get(port)!.announcements;
      this.#announce(entry, reason, bucket);
      this.#drop(entry, reason, sender);
      return null;
    }
    const passage: Passage = { ...entry, sender, vlan, served: new Set() };
    const objection = this.#objectionTo(passage, held);
    if (objection) {
      this.#drop(entry, objection, sender);
      return null;
    }
    held.tallies.get(port)!.accept(frame.untagged.length, now);
    const marked = { ...passage, frame: mark(frame, held.vsi.policy.marking) };
    this.#mirror(marked, held, 'from-vm');
    return marked;
  }

  /** The VSI that the frame's source address belongs to at this port, what its place there is to it, and the frame's VLAN. */
  #sender({ port, frame }: Entry) {
    for (const [sender, held] of this.#vsis) {
      if (!held.vsi.addresses.includes(frame.source)) continue;
      for (const role of ['active', 'armed', 'released'] as const) {
        const place = held.vsi.places[role];
        const vlan = place?.port === port ? held.vlanOf(place, frame.wireVid) : null;
        if (vlan !== null) return { sender, held, role, vlan };
      }
    }
    return null;
  }

  /** What the sender's policy has against a frame of its; what is charged before it is dropped is not given back. */
  #objectionTo(passage: Passage, held: HeldVsi): DropReason | null {
    const { frame, now, segments, vlan } = passage;
    const guard = guardAgainst(frame, held.vsi, (address, given) =>
      this.#linkLocals.claim(held.linkLocals, vlan, address, given, now),
    );
    if (guard) return guard;
    if (!this.#allows(passage, held, 'from-vm')) return 'access-list';
    const kind = stormKindOf(frame, () => this.#isKnown(passage));
    if (kind && !held.storm.pass(kind, segments, now)) return 'storm';
    return this.#charge(passage, held, 'from-vm');
  }

  #fromNetwork(entry: Entry, held: HeldPort, bytes: Uint8Array): Passage | null {
    const { frame, port, now } = entry;
    const { nativeVlan = null, host } = held.port.kind === 'network' ? held.port : {};
    const vlan = frame.wireVid || nativeVlan;
    const toHost = isForHost(frame, vlan, host);
    if (toHost) entry.emissions.push({ port: null, frame: bytes.slice() });
    if (toHost && !isGroupFrame(frame)) return null;
    if (!vlan || this.#networkPorts.get(vlan as Vid) !== port) {
      if (!toHost) this.#drop(entry, vlan && held.carries(vlan) ? 'standby' : 'vlan');
      return null;
    }
    const isHere = this.#owner(frame.source, vlan)?.held.vsi.places.active;
    this.#linkLocals.hear(frame, vlan, port, now);
    if (!isGroup(frame.source) && !isHere) this.#learned.learn(frame.source, vlan, port, now);
    return { ...entry, sender: null, vlan, served: new Set() };
  }

  #toOne(passage: Passage): void {
    const { frame, vlan, sender } = passage;
    const owner = this.#owner(frame.destination, vlan);
    if (owner) this.#deliver(passage, owner.id, null);
    if (owner?.held.vsi.places.active) return;
    // it is active nowhere here: another bridge may have it
    if (this.#toNetwork(passage)) return;
    const isBehind = sender === null && this.#isLearned(passage);
    this.#drop(passage, isBehind ? 'same-port' : 'unknown-destination', sender);
  }

  #toGroup(passage: Passage): void {
    this.#toNetwork(passage);
    for (const [id, held] of this.#vsis)
      if (id !== passage.sender && held.isIn(passage.vlan))
        this.#deliver(passage, id, macToBytes(held.vsi.addresses[0]!));
  }

  /** The VSI that has the address in the VLAN, wherever its places are. */
  #owner(mac: Frame['source'], vlan: number): { readonly id: VsiId; readonly held: HeldVsi } | null {
    for (const [id, held] of this.#vsis)
      if (held.isIn(vlan) && held.vsi.addresses.includes(mac)) return { id, held };
    return null;
  }

  /** Whether the destination was learned at the VLAN's active network port. */
  #isLearned({ frame, vlan, now }: Passage): boolean {
    const port = this.#learned.portOf(frame.destination, vlan, now, this.#ageingTime);
    return port !== null && this.#networkPorts.get(vlan as Vid) === port;
  }

  #isKnown(passage: Passage): boolean {
    const { frame, vlan } = passage;
    return this.#owner(frame.destination, vlan) !== null || this.#isLearned(passage);
  }

  /** Whether it came from a station and there was a network port to send to. */
  #toNetwork(passage: Passage): boolean {
    const name = passage.sender === null ? undefined : this.#networkPorts.get(passage.vlan as Vid);
    if (name === undefined) return false;
    if (!this.#fits(passage, name)) return true;
    const tag = tagAt(this.#ports.get(name)!, passage.vlan);
    this.#send(passage, name, dress(passage.frame, tag, null));
    return true;
  }

  /** To where the VSI is active, under its policy; `own` is its address if the frame is a group's. */
  #deliver(passage: Passage, id: VsiId, own: Uint8Array | null): void {
    const held = this.#vsis.get(id)!;
    const { active } = held.vsi.places;
    if (!active) return;
    if (own !== null && held.vidOf(active, passage.vlan) === 0 && this.#isShared(active.port)) {
      this.#toAll(passage, active.port);
      return;
    }
    const objection = this.#allows(passage, held, 'to-vm')
      ? this.#charge(passage, held, 'to-vm')
      : 'access-list';
    if (objection) {
      this.#drop(passage, objection, id, active.port);
      return;
    }
    this.#mirror(passage, held, 'to-vm');
    this.#toPlace(passage, id, active, own);
  }

  #toPlace(passage: Passage, id: VsiId, place: Place, own: Uint8Array | null): void {
    const { frame, vlan } = passage;
    const held = this.#vsis.get(id)!;
    if (!this.#mayLeaveBy(passage, place.port)) {
      this.#drop(passage, 'reflective-relay-off', id);
      return;
    }
    if (!this.#fits(passage, place.port, id)) return;
    held.tallies.get(place.port)!.count('to-vm', frame.untagged.length);
    this.#send(passage, place.port, dress(frame, held.vidOf(place, vlan), own));
  }

  /** One copy of a group frame for all the port's untagged VSIs. */
  #toAll(passage: Passage, port: PortName): void {
    if (passage.served.has(port)) return;
    passage.served.add(port);
    if (!this.#mayLeaveBy(passage, port)) this.#drop(passage, 'reflective-relay-off');
    else if (this.#fits(passage, port)) this.#send(passage, port, dress(passage.frame, 0, null));
  }

  /** Whether the port can send so long a frame; one that is not sent is counted there, and of the VSI that it was for. */
  #fits(passage: Passage, name: PortName, vsi: VsiId | null = null, octets?: number): boolean {
    if (this.#mtus.fit(name, passage, octets)) return true;
    this.#drop(passage, 'mtu', vsi, name);
    return false;
  }

  #mayLeaveBy(passage: Passage, name: PortName): boolean {
    const { port } = this.#ports.get(name)!;
    return name !== passage.port || (port.kind === 'station' && port.reflectiveRelay);
  }

  #isShared(port: PortName): boolean {
    const untagged = [...this.#vsis.values()].flatMap(({ vsi }) => [...occupancies(vsi)]);
    const here = untagged.filter((one) => one.port === port);
    return sharedVlan(here, this.#tenants) !== null;
  }

  #allows({ frame, vlan }: Passage, { vsi, ruleFrames }: HeldVsi, direction: Direction): boolean {
    const { allowed, by } = judge(vsi.policy.accessList, direction, frame, vlan);
    if (vsi.policy.accessList.rules.length) ruleFrames[by]!++;
    return allowed;
  }

  #charge(passage: Passage, { vsi, rates }: HeldVsi, direction: Direction): DropReason | null {
    const { now } = passage;
    const octets = octetsOnLink(passage);
    if (!rates.pass(direction, octets, now)) return 'rate';
    const tenant = this.#tenantRates.get(vsi.policy.tenant);
    return tenant && !tenant.pass(direction, octets, now) ? 'tenant-rate' : null;
  }

  #mirror(passage: Passage, { mirroring }: HeldVsi, direction: Direction): void {
    for (const [name, { port }] of this.#ports) {
      if (port.kind !== 'mirror' || port.session !== mirroring?.mirror.session) continue;
      const copy = mirroring.copyOf(passage.frame, direction, passage.vlan);
      if (copy && this.#fits(passage, name, null, copy.length)) this.#send(passage, name, copy);
    }
  }

  #send({ emissions }: Passage, port: PortName, frame: Uint8Array): void {
    this.#ports.get(port)!.tally.framesOut++;
    emissions.push({ port, frame });
  }

  /** Counted at `at`, which is a port of the VSI's if it is one's. */
  #drop(entry: Entry, reason: DropReason, vsi: VsiId | null = null, at = entry.port): void {
    this.#ports.get(at)!.tally.dropped[reason]++;
    if (vsi) this.#vsis.get(vsi)!.tallies.get(at)!.dropped[reason]++;
    const { port, now, frame } = entry;
    const octets = frame.untagged.length;
    this.#dropWatch.tell({
      port,
      reason,
      vsi,
      at: now,
      octets,
      frame: frame.untagged.slice(0, sampleOctets),
    });
  }

  #announce({ port, frame, now }: Entry, reason: RelayEvent['reason'], bucket: TokenBucket): void {
    if (!isAnnouncement(frame) || !bucket.pass(1, now)) return;
    const event: RelayEvent = {
      kind: 'announcement',
      port,
      mac: frame.source,
      wireVid: frame.wireVid as Vid | NullVid,
      reason,
      at: now,
    };
    for (const listener of this.#listeners) listener(event);
  }
}

/** The VID of the tag with which frames of a VLAN leave by a network port that carries it; 0: without one. */
function tagAt({ port }: HeldPort, vlan: number): number {
  return port.kind === 'network' && port.nativeVlan === vlan ? 0 : vlan;
}
