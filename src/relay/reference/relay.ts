import { isDeepStrictEqual } from 'node:util';
import { macToBytes } from '../../domain/mac-address.ts';
import type { Direction } from '../../domain/port-profile.ts';
import type { NullVid, Vid } from '../../domain/vid.ts';
import type { VsiId } from '../../domain/vsi-id.ts';
import type { Capabilities } from '../capabilities.ts';
import { limits, checkClaims, checkPorts, checkVsi, placesOf } from '../checks.ts';
import { concerns, sharedVlan } from '../policy.ts';
import {
  defaultAgeingTime,
  type DropReason,
  type Place,
  type PortName,
  type Relay,
  type RelayCounters,
  type RelayEvent,
  type RelayPort,
  type RelayState,
  type RelayVsi,
  type Stranger,
} from '../relay.ts';
import { judge } from './access-list.ts';
import { dress, isAnnouncement, isControl, isGroupFrame, parseFrame, type Frame } from './frame.ts';
import { PortTally, VsiTally } from './tally.ts';
import { TokenBucket } from './token-bucket.ts';

/** A frame that leaves by a port. */
export interface Emission {
  readonly port: PortName;
  readonly frame: Uint8Array;
}

/** A frame on its way: where and when it came in, by whom (null: from the network), and the copies made so far. */
interface Passage {
  readonly frame: Frame;
  readonly port: PortName;
  readonly now: bigint;
  readonly sender: VsiId | null;
  readonly vlan: number;
  readonly emissions: Emission[];
  /** station ports that have had the one copy for all their VSIs */
  readonly served: Set<PortName>;
}

interface Vsi {
  readonly vsi: RelayVsi;
  readonly buckets: Partial<Record<Direction, TokenBucket>>;
  readonly tallies: Map<PortName, VsiTally>;
}

const mostStrangers = 4096;
const announcementsPerSecond = 100;
const announcementBurst = 20;

/** The relay in memory: the contract of `Relay` as a program to read, and the switch of the simulated lab. */
export class ReferenceRelay implements Relay {
  readonly capabilities: Capabilities = {
    relay: 'reference',
    features: new Set(['mirror']),
    rules: limits.rules,
  };
  #ports = new Map<
    PortName,
    { readonly port: RelayPort; readonly tally: PortTally; readonly announcements: TokenBucket }
  >();
  #vsis = new Map<VsiId, Vsi>();
  readonly #strangers = new Map<string, Stranger>();
  readonly #listeners = new Set<(event: RelayEvent) => void>();

  held(): RelayState {
    return {
      ports: new Map(Array.from(this.#ports, ([name, { port }]) => [name, port])),
      vsis: new Map(Array.from(this.#vsis, ([id, { vsi }]) => [id, vsi])),
      tenants: new Map(),
      ageingTime: defaultAgeingTime,
    };
  }

  ruleFrames(): readonly number[] | null {
    return null;
  }

  watchDrops(): () => void {
    return () => {};
  }

  apply(desired: RelayState): void {
    checkPorts(desired.ports);
    for (const [id, vsi] of desired.vsis) checkVsi(id, vsi, desired.ports);
    checkClaims(desired.vsis);
    const heldPorts = this.#ports;
    this.#ports = new Map(
      Array.from(desired.ports, ([name, port]) => {
        const held = heldPorts.get(name);
        const stays = held?.port.kind === port.kind;
        const tally = stays ? held.tally : new PortTally();
        const announcements = stays
          ? held.announcements
          : new TokenBucket({ max: 8 * announcementsPerSecond, burst: announcementBurst });
        return [name, { port, tally, announcements }];
      }),
    );
    const heldVsis = this.#vsis;
    this.#vsis = new Map(Array.from(desired.vsis, ([id, vsi]) => [id, succeed(vsi, heldVsis.get(id))]));
    for (const [key, stranger] of this.#strangers)
      if (!this.#ports.has(stranger.port)) this.#strangers.delete(key);
  }

  counters(): RelayCounters {
    return {
      ports: new Map(Array.from(this.#ports, ([name, { tally }]) => [name, tally.counters()])),
      vsis: new Map(
        Array.from(this.#vsis, ([id, { tallies }]) => [
          id,
          new Map(Array.from(tallies, ([port, tally]) => [port, tally.counters()])),
        ]),
      ),
      strangers: [...this.#strangers.values()],
    };
  }

  watch(listener: (event: RelayEvent) => void): void {
    this.#listeners.add(listener);
  }

  close(): void {
    this.#listeners.clear();
  }

  destroy(): void {
    this.close();
    this.#ports.clear();
    this.#vsis.clear();
    this.#strangers.clear();
  }

  /** What leaves, and where, when `bytes` enter `port` at `now` (ns of the clock that counters and events use). */
  receive(port: PortName, bytes: Uint8Array, now: bigint): Emission[] {
    const held = this.#ports.get(port);
    const frame = parseFrame(bytes);
    if (!held || !frame || isControl(frame)) return [];
    held.tally.framesIn++;
    const entered = { frame, port, now, emissions: [], served: new Set<PortName>() };
    const passage =
      held.port.kind === 'station' ? this.#fromStation(entered) : this.#fromNetwork(entered, held.port);
    if (passage) {
      if (isGroupFrame(frame)) this.#toGroup(passage);
      else this.#toOne(passage);
    }
    return entered.emissions;
  }

  #fromStation(entered: Omit<Passage, 'sender' | 'vlan'>): Passage | null {
    const { frame, port, now } = entered;
    const found = this.#sender(port, frame);
    if (!found) {
      this.#remember(entered);
      this.#announce(entered, 'unassociated');
      this.#dropAtPort(port, 'unassociated');
      return null;
    }
    const [sender, { vsi }, role] = found;
    const passage: Passage = { ...entered, sender, vlan: vsi.policy.vlan };
    if (role !== 'active') {
      const reason = role === 'armed' ? 'armed' : 'moved';
      this.#announce(entered, reason);
      this.#drop(sender, port, reason);
      return null;
    }
    const objection = this.#judge(passage, sender, 'from-vm');
    if (objection) {
      this.#drop(sender, port, objection);
      return null;
    }
    const tally = this.#tally(sender, port);
    tally.count('from-vm', frame.untagged.length);
    tally.firstFrame ??= now;
    tally.lastFrame = now;
    this.#mirror(passage, sender, 'from-vm');
    return passage;
  }

  /** The VSI that the frame's source address belongs to at this port, and what its place there is to it. */
  #sender(port: PortName, frame: Frame): [VsiId, Vsi, 'active' | 'armed' | 'released'] | null {
    for (const [id, held] of this.#vsis) {
      if (!held.vsi.addresses.includes(frame.source)) continue;
      for (const role of ['active', 'armed', 'released'] as const) {
        const place = held.vsi.places[role];
        if (place?.port === port && place.wireVid === frame.wireVid) return [id, held, role];
      }
    }
    return null;
  }

  #fromNetwork(entered: Omit<Passage, 'sender' | 'vlan'>, port: RelayPort): Passage | null {
    const native = port.kind === 'network' ? port.nativeVlan : null;
    const vlan = entered.frame.wireVid || native;
    if (vlan && carries(port, vlan)) return { ...entered, sender: null, vlan };
    this.#dropAtPort(entered.port, 'vlan');
    return null;
  }

  #toOne(passage: Passage): void {
    const { frame, vlan, sender, port } = passage;
    for (const [id, { vsi }] of this.#vsis) {
      if (vsi.policy.vlan !== vlan || !vsi.addresses.includes(frame.destination)) continue;
      const { active, armed } = vsi.places;
      if (active || armed) this.#deliver(passage, id, null);
      if (active) return;
      // it is active nowhere here: another bridge may have it
      if (this.#toNetwork(passage) || armed) return;
    }
    if (this.#toNetwork(passage)) return;
    if (sender) this.#drop(sender, port, 'unknown-destination');
    else this.#dropAtPort(port, 'unknown-destination');
  }

  #toGroup(passage: Passage): void {
    this.#toNetwork(passage);
    for (const [id, { vsi }] of this.#vsis)
      if (id !== passage.sender && vsi.policy.vlan === passage.vlan)
        this.#deliver(passage, id, macToBytes(vsi.addresses[0]!));
  }

  /** Whether there was a network port to send to. */
  #toNetwork(passage: Passage): boolean {
    let sent = false;
    for (const [name, { port }] of this.#ports) {
      if (name === passage.port || port.kind !== 'network' || !carries(port, passage.vlan)) continue;
      this.#send(passage, name, port.nativeVlan === passage.vlan ? 0 : passage.vlan, null);
      sent = true;
    }
    return sent;
  }

  /** To the VSI's active and armed place, under its policy; `own` is its address if the frame is a group's. */
  #deliver(passage: Passage, id: VsiId, own: Uint8Array | null): void {
    const { active, armed } = this.#vsis.get(id)!.vsi.places;
    const first = active ?? armed;
    if (!first) return;
    const objection = this.#judge(passage, id, 'to-vm');
    if (objection) {
      this.#drop(id, first.port, objection);
      return;
    }
    this.#mirror(passage, id, 'to-vm');
    for (const place of [active, armed]) if (place) this.#toPlace(passage, id, place, own);
  }

  #toPlace(passage: Passage, id: VsiId, place: Place, own: Uint8Array | null): void {
    const { port, wireVid } = place;
    const shared = own !== null && wireVid === 0 && this.#isShared(port);
    if (shared) {
      if (passage.served.has(port)) return;
      passage.served.add(port);
    }
    const held = this.#ports.get(port)!.port;
    if (port === passage.port && !(held.kind === 'station' && held.reflectiveRelay)) {
      if (shared) this.#dropAtPort(port, 'reflective-relay-off');
      else this.#drop(id, port, 'reflective-relay-off');
      return;
    }
    if (!shared) this.#tally(id, port).count('to-vm', passage.frame.untagged.length);
    this.#send(passage, port, wireVid, shared ? null : own);
  }

  #isShared(port: PortName): boolean {
    const untagged: RelayVsi[] = [];
    for (const { vsi } of this.#vsis.values())
      for (const place of [vsi.places.active, vsi.places.armed])
        if (place?.port === port && place.wireVid === 0) untagged.push(vsi);
    return sharedVlan(untagged, new Map()) !== null;
  }

  #judge({ frame, now, vlan }: Passage, id: VsiId, direction: Direction): DropReason | null {
    const { vsi, buckets } = this.#vsis.get(id)!;
    if (!judge(vsi.policy.accessList, direction, frame, vlan).allowed) return 'access-list';
    if (buckets[direction]?.pass(frame.untagged.length, now) === false) return 'rate';
    return null;
  }

  #mirror(passage: Passage, id: VsiId, direction: Direction): void {
    const { mirror } = this.#vsis.get(id)!.vsi.policy;
    if (!mirror || !concerns(mirror.direction, direction)) return;
    for (const [name, { port }] of this.#ports)
      if (port.kind === 'mirror' && port.session === mirror.session) this.#send(passage, name, 0, null);
  }

  #send(
    { frame, emissions }: Passage,
    port: PortName,
    wireVid: number,
    destination: Uint8Array | null,
  ): void {
    this.#ports.get(port)!.tally.framesOut++;
    emissions.push({ port, frame: dress(frame, wireVid, destination) });
  }

  #tally(id: VsiId, port: PortName): VsiTally {
    return this.#vsis.get(id)!.tallies.get(port)!;
  }

  #drop(id: VsiId, port: PortName, reason: DropReason): void {
    this.#tally(id, port).dropped[reason]++;
    this.#dropAtPort(port, reason);
  }

  #dropAtPort(port: PortName, reason: DropReason): void {
    this.#ports.get(port)!.tally.dropped[reason]++;
  }

  #remember({ port, frame, now }: Omit<Passage, 'sender' | 'vlan'>): void {
    const key = `${port} ${frame.wireVid} ${frame.source}`;
    const frames = (this.#strangers.get(key)?.frames ?? 0) + 1;
    this.#strangers.delete(key);
    this.#strangers.set(key, {
      port,
      mac: frame.source,
      wireVid: frame.wireVid as Vid | NullVid,
      frames,
      lastFrame: now,
    });
    for (const oldest of this.#strangers.keys()) {
      if (this.#strangers.size <= mostStrangers) break;
      this.#strangers.delete(oldest);
    }
  }

  #announce({ port, frame, now }: Omit<Passage, 'sender' | 'vlan'>, reason: RelayEvent['reason']): void {
    if (!isAnnouncement(frame) || !this.#ports.get(port)!.announcements.pass(1, now)) return;
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

function carries(port: RelayPort, vlan: number): boolean {
  return (
    port.kind === 'network' && (port.nativeVlan === vlan || port.vlans.some((carried) => carried === vlan))
  );
}

/** The VSI with what it keeps of its former self: tallies of places at the same ports, buckets of the same rate. */
function succeed(vsi: RelayVsi, before: Vsi | undefined): Vsi {
  const buckets: Vsi['buckets'] = {};
  for (const direction of ['from-vm', 'to-vm'] as const) {
    const rate = vsi.policy.rate[direction];
    if (!rate) continue;
    const kept = isDeepStrictEqual(before?.vsi.policy.rate[direction], rate) && before?.buckets[direction];
    buckets[direction] = kept || new TokenBucket(rate);
  }
  const tallies = new Map(
    placesOf(vsi).map(({ port }) => [port, before?.tallies.get(port) ?? new VsiTally()]),
  );
  return { vsi, buckets, tallies };
}
