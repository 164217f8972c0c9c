import { vlansOf, type PortProfile } from '../../domain/port-profile.ts';
import type { Vid } from '../../domain/vid.ts';
import type { VsiId } from '../../domain/vsi-id.ts';
import type { Clock } from '../../base/clock.ts';
import type { PortName, Relay } from '../../relay/contract/relay.ts';
import type { Directory } from './directory.ts';
import { Moves, restless } from './moves.ts';
import { NetworkAnnouncer, type Saying, type Told } from './network-announcer.ts';
import { addressAnnouncement, rarp } from './network-frames.ts';
import type { VsiEntry } from './vsi-entry.ts';

export interface NetworkNewsParts {
  readonly relay: Relay;
  readonly directory: Directory;
  readonly clock: Clock;
  /** frames; the default is 500 */
  readonly announcementsPerSecond?: number;
  readonly log: (level: 'info' | 'warn', message: string) => void;
}

/** What the network is told of the VSIs here, and which of them move too often. */
export class NetworkNews {
  readonly #parts: NetworkNewsParts;
  readonly #entries: ReadonlyMap<VsiId, VsiEntry>;
  readonly #announcer: NetworkAnnouncer;
  readonly #moves = new Moves();

  constructor(parts: NetworkNewsParts, entries: ReadonlyMap<VsiId, VsiEntry>) {
    this.#parts = parts;
    this.#entries = entries;
    this.#announcer = new NetworkAnnouncer({
      clock: parts.clock,
      perSecond: parts.announcementsPerSecond ?? 500,
      frames: (vsiId, port, saying) => this.#frames(vsiId, port, saying),
      send: ({ vlan, frame }) => parts.relay.tellNetwork(vlan, frame),
    });
  }

  get counters() {
    return { ...this.#announcer.counters, waiting: this.#announcer.waiting, restless: this.#moves.events };
  }

  /** A VSI has changed. A VM that has just been started is no news: it speaks of itself. */
  changed(vsiId: VsiId, before: VsiEntry | null, after: VsiEntry | null): void {
    const port = after?.active ?? null;
    const isProvisional = after?.flip != null;
    if (port === before?.active) {
      if (port !== null && before.flip && !isProvisional) this.#announcer.confirmed(vsiId, port);
      return;
    }
    if (!before || port === null) {
      this.#announcer.cancel(vsiId);
      return;
    }
    // of its IP addresses nothing was said while a flip was provisional
    this.#announcer.flipped(vsiId, port, isProvisional || before.flip ? 'place' : 'addresses');
    if (this.#moves.moved(vsiId, this.#parts.clock.now())) this.#warn(vsiId);
  }

  /** A network port has taken over VLANs from another: the network behind it hears of all that are active here. */
  tookOver(vlans: ReadonlySet<Vid>): void {
    const active = [...this.#entries].flatMap(([vsiId, { active, policy }]) =>
      active !== null && vlansOf(policy).some((vlan) => vlans.has(vlan)) ? [[vsiId, active] as const] : [],
    );
    this.#announcer.tookOver(active, vlans);
  }

  stop(): void {
    this.#announcer.stop();
  }

  #frames(vsiId: VsiId, port: PortName, saying: Saying): Told[] {
    const entry = this.#entries.get(vsiId);
    if (entry?.active !== port) return [];
    const profile = this.#parts.directory.known(vsiId, entry.profile)?.profile;
    return [...places(entry), ...(saying === 'addresses' && profile ? addresses(entry, profile) : [])];
  }

  #warn(vsiId: VsiId): void {
    const { moves, withinMs } = restless;
    this.#parts.log(
      'warn',
      `VSI ${vsiId} has moved ${moves} times within ${withinMs / 1000} s: the fabric may take its address for a duplicate`,
    );
  }
}

function places({ addresses, policy }: VsiEntry): Told[] {
  return vlansOf(policy).flatMap((vlan) => addresses.map((mac) => ({ vlan, frame: rarp(mac) })));
}

/** In fabrics that answer ARP and neighbour discovery themselves: what the VSI's own addresses are bound to. */
function addresses({ addresses: [mac], ips, policy: { vlan } }: VsiEntry, { announce }: PortProfile): Told[] {
  if (announce !== 'addresses' || !mac) return [];
  return ips.map((ip) => ({ vlan, frame: addressAnnouncement(mac, ip) }));
}
