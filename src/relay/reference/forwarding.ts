import { isGroup, macToBytes } from '../../domain/mac-address.ts';
import type { Direction } from '../../domain/port-profile.ts';
import type { NullVid, Vid } from '../../domain/vid.ts';
import type { VsiId } from '../../domain/vsi-id.ts';
import type { DropSample, Place, PortName, RelayEvent } from '../contract/relay.ts';
import type { DropReason } from '../../domain/drop-reason.ts';
import { judge } from './access-list.ts';
import { isAnnouncement } from './announcements.ts';
import { sampleOctets } from './drops.ts';
import { dress, isControl, isGroupFrame, parseFrame, type Frame } from './frame.ts';
import { guardAgainst } from './guards.ts';
import type { HeldPort } from './held-port.ts';
import type { HeldState } from './held-state.ts';
import type { HeldVsi } from './held-vsi.ts';
import { isForHost } from './host.ts';
import { octetsOnLink, type Mtus } from './lengths.ts';
import { mark } from './marking.ts';
import { stormKindOf } from './storm.ts';
import type { TokenBucket } from './token-bucket.ts';

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

/** Forwarding tells these of what it drops, and of what it hears VMs announce. */
export interface Listeners {
  readonly drop: (drop: DropSample) => void;
  readonly announcement: (event: RelayEvent) => void;
}

/** What happens to a frame: the specification, in the order in which the contract of `Relay` has it. */
export class Forwarding {
  readonly #held: Readonly<HeldState>;
  readonly #mtus: Mtus;
  readonly #tell: Listeners;

  constructor(held: Readonly<HeldState>, mtus: Mtus, tell: Listeners) {
    this.#held = held;
    this.#mtus = mtus;
    this.#tell = tell;
  }

  /** The frames that leave because `bytes` entered `port` at `now` (ns); `segments`: of a super-frame. */
  receive(port: PortName, bytes: Uint8Array, now: bigint, segments = 1): Emission[] {
    const held = this.#held.ports.get(port);
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
      this.#held.strangers.remember(port, frame, now);
      this.#announce(entry, 'unassociated', this.#held.ports.get(port)!.announcements);
      this.#drop(entry, 'unassociated');
      return null;
    }
    const { sender, held, role, vlan } = found;
    // a VSI's last frames are still on their way when it turns
    if (role !== 'active' && !(role === 'released' && held.leftWithin(lateFor, now))) {
      const reason = role === 'armed' ? 'armed' : 'moved';
      // of a VSI that is awaited here, no other keeps the agent from hearing
      const bucket = role === 'armed' ? held.announcements : this.#held.ports.get(port)!.announcements;
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
    for (const [sender, held] of this.#held.vsis) {
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
      this.#held.linkLocals.claim(held.linkLocals, vlan, address, given, now),
    );
    if (guard) return guard;
    if (!this.#allows(passage, held, 'from-vm')) return 'access-list';
    const kind = stormKindOf(frame, () => this.#isKnown(passage));
    if (kind && !held.storm.pass(kind, segments, now)) return 'storm';
    return this.#charge(passage, held, 'from-vm');
  }

  /** Whether the destination is a VSI's here, or was learned. */
  #isKnown({ frame, vlan, now }: Passage): boolean {
    const { destination } = frame;
    return this.#held.ownerOf(destination, vlan) !== null || this.#held.isLearned(destination, vlan, now);
  }

  #fromNetwork(entry: Entry, held: HeldPort, bytes: Uint8Array): Passage | null {
    const { frame, port, now } = entry;
    const { nativeVlan = null, host } = held.port.kind === 'network' ? held.port : {};
    const vlan = frame.wireVid || nativeVlan;
    const toHost = isForHost(frame, vlan, host);
    if (toHost) entry.emissions.push({ port: null, frame: bytes.slice() });
    if (toHost && !isGroupFrame(frame)) return null;
    if (!vlan || this.#held.networkPorts.get(vlan as Vid) !== port) {
      if (!toHost) this.#drop(entry, vlan && held.carries(vlan) ? 'standby' : 'vlan');
      return null;
    }
    const isHere = this.#held.ownerOf(frame.source, vlan)?.held.vsi.places.active;
    this.#held.linkLocals.hear(frame, vlan, port, now);
    if (!isGroup(frame.source) && !isHere) this.#held.learned.learn(frame.source, vlan, port, now);
    return { ...entry, sender: null, vlan, served: new Set() };
  }

  #toOne(passage: Passage): void {
    const { frame, now, vlan, sender } = passage;
    const owner = this.#held.ownerOf(frame.destination, vlan);
    if (owner) this.#deliver(passage, owner.id, null);
    if (owner?.held.vsi.places.active) return;
    // it is active nowhere here: another bridge may have it
    if (this.#toNetwork(passage)) return;
    const isBehind = sender === null && this.#held.isLearned(frame.destination, vlan, now);
    this.#drop(passage, isBehind ? 'same-port' : 'unknown-destination', sender);
  }

  /** To where the VSI is active, under its policy; `own` is its address if the frame is a group's. */
  #deliver(passage: Passage, id: VsiId, own: Uint8Array | null): void {
    const held = this.#held.vsis.get(id)!;
    const { active } = held.vsi.places;
    if (!active) return;
    if (own !== null && held.vidOf(active, passage.vlan) === 0 && this.#held.isShared(active.port)) {
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
    const held = this.#held.vsis.get(id)!;
    if (!this.#mayLeaveBy(passage, place.port)) {
      this.#drop(passage, 'reflective-relay-off', id);
      return;
    }
    if (!this.#fits(passage, place.port, id)) return;
    held.tallies.get(place.port)!.count('to-vm', frame.untagged.length);
    this.#send(passage, place.port, dress(frame, held.vidOf(place, vlan), own));
  }

  /** Whether it came from a station and there was a network port to send to. */
  #toNetwork(passage: Passage): boolean {
    const name = passage.sender === null ? undefined : this.#held.networkPorts.get(passage.vlan as Vid);
    if (name === undefined) return false;
    if (!this.#fits(passage, name)) return true;
    const tag = this.#held.ports.get(name)!.vidOf(passage.vlan);
    this.#send(passage, name, dress(passage.frame, tag, null));
    return true;
  }

  #toGroup(passage: Passage): void {
    this.#toNetwork(passage);
    for (const [id, held] of this.#held.vsis)
      if (id !== passage.sender && held.isIn(passage.vlan))
        this.#deliver(passage, id, macToBytes(held.vsi.addresses[0]!));
  }

  /** One copy of a group frame for all the port's untagged VSIs. */
  #toAll(passage: Passage, port: PortName): void {
    if (passage.served.has(port)) return;
    passage.served.add(port);
    if (!this.#mayLeaveBy(passage, port)) this.#drop(passage, 'reflective-relay-off');
    else if (this.#fits(passage, port)) this.#send(passage, port, dress(passage.frame, 0, null));
  }

  #mayLeaveBy(passage: Passage, name: PortName): boolean {
    const { port } = this.#held.ports.get(name)!;
    return name !== passage.port || (port.kind === 'station' && port.reflectiveRelay);
  }

  #mirror(passage: Passage, { mirroring }: HeldVsi, direction: Direction): void {
    for (const [name, { port }] of this.#held.ports) {
      if (port.kind !== 'mirror' || port.session !== mirroring?.mirror.session) continue;
      const copy = mirroring.copyOf(passage.frame, direction, passage.vlan);
      if (copy && this.#fits(passage, name, null, copy.length)) this.#send(passage, name, copy);
    }
  }

  #charge(passage: Passage, { vsi, rates }: HeldVsi, direction: Direction): DropReason | null {
    const { now } = passage;
    const octets = octetsOnLink(passage);
    if (!rates.pass(direction, octets, now)) return 'rate';
    const tenant = this.#held.tenantRates.get(vsi.policy.tenant);
    return tenant && !tenant.pass(direction, octets, now) ? 'tenant-rate' : null;
  }

  /** Whether the port can send so long a frame; one that is not sent is counted there, and of the VSI that it was for. */
  #fits(passage: Passage, name: PortName, vsi: VsiId | null = null, octets?: number): boolean {
    if (this.#mtus.fit(name, passage, octets)) return true;
    this.#drop(passage, 'mtu', vsi, name);
    return false;
  }

  #allows({ frame, vlan }: Passage, { vsi, ruleFrames }: HeldVsi, direction: Direction): boolean {
    const { allowed, by } = judge(vsi.policy.accessList, direction, frame, vlan);
    if (vsi.policy.accessList.rules.length) ruleFrames[by]!++;
    return allowed;
  }

  #send({ emissions }: Passage, port: PortName, frame: Uint8Array): void {
    this.#held.ports.get(port)!.tally.framesOut++;
    emissions.push({ port, frame });
  }

  /** Counted at `at`, which is a port of the VSI's if it is one's. */
  #drop(entry: Entry, reason: DropReason, vsi: VsiId | null = null, at = entry.port): void {
    this.#held.ports.get(at)!.tally.dropped[reason]++;
    if (vsi) this.#held.vsis.get(vsi)!.tallies.get(at)!.dropped[reason]++;
    const { port, now, frame } = entry;
    const octets = frame.untagged.length;
    this.#tell.drop({
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
    this.#tell.announcement({
      kind: 'announcement',
      port,
      mac: frame.source,
      wireVid: frame.wireVid as Vid | NullVid,
      reason,
      at: now,
    });
  }
}
