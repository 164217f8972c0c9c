import { earliest } from '../base/deadline.ts';
import type { MacAddress } from '../domain/mac-address.ts';
import type { Frame } from './ethernet.ts';
import type { Gate, Hearing, Meeting } from './gate.ts';
import type { IgnoreReason } from './ignored.ts';
import {
  LldpListener,
  type ListeningAgent,
  type OtherNeighbour,
  type OtherNeighbourChange,
} from './lldp/listener.ts';
import { neighbourFrom, sameNeighbour, type Neighbour } from './lldp/neighbour.ts';
import type { Lldpdu } from './lldp/packet.ts';
import { txTtl } from './lldp/transmitter.ts';
import type { Speaker } from './place.ts';
import type { Trust } from './trust.ts';

export interface NeighbourhoodOptions {
  /** what becomes of the port when a second station speaks at it; the default is "ignore" */
  readonly secondStation?: SecondStationPolicy;
  /** how many are remembered who speak LLDP to other addresses; the default is 8 */
  readonly otherNeighbours?: number;
}

/** "down": all is let go of, and nothing is accepted until the link was down. */
export type SecondStationPolicy = 'ignore' | 'down';

export interface SecondStation {
  readonly mac: MacAddress;
  readonly systemName: string | null;
  /** when it spoke last, in ms of the machine's clock */
  readonly at: number;
  /** the port is disabled because of it */
  readonly portDown: boolean;
}

export type NeighbourhoodOutput =
  /** who is at the other end, or null: nobody any more, or another may be now */
  | { readonly kind: 'neighbour'; readonly neighbour: Neighbour | null }
  | OtherNeighbourChange
  /** What the next run has to know has changed: whose place the port is, or what was verified. */
  | { readonly kind: 'place' };

export interface NeighbourhoodUser {
  emit(output: NeighbourhoodOutput): void;
  /** The neighbour is another machine than the one before; `isSure`: its signature says so. */
  replaced(isSure: boolean, now: number): void;
  ignore(reason: IgnoreReason, detail: string, now: number): void;
}

const defaultOtherNeighbours = 8;

/**
 * Who is heard at a link: the neighbour, whom the gate lets in and whose TTL is not over; a second station, which the gate
 * does not let in; and the others, who speak LLDP to other addresses.
 */
export class Neighbourhood {
  readonly #gate: Gate;
  readonly #options: NeighbourhoodOptions;
  readonly #user: NeighbourhoodUser;
  #neighbour: Neighbour | null = null;
  /** when the neighbour's TTL is over */
  #expires: number | null = null;
  #secondStation: SecondStation | null = null;
  readonly #listener: LldpListener;

  /** Reads `options.secondStation` whenever a second station speaks: the policy may change. */
  constructor(gate: Gate, options: NeighbourhoodOptions, user: NeighbourhoodUser) {
    this.#gate = gate;
    this.#options = options;
    this.#user = user;
    this.#listener = new LldpListener(options.otherNeighbours ?? defaultOtherNeighbours, (change) =>
      user.emit(change),
    );
  }

  get neighbour(): Neighbour | null {
    return this.#neighbour;
  }

  /** Why whoever has the port is believed; null: nobody has it. */
  get trust(): Trust | null {
    return this.#gate.trust(this.#neighbour !== null);
  }

  get others(): readonly OtherNeighbour[] {
    return this.#listener.neighbours;
  }

  get secondStation(): SecondStation | null {
    return this.#secondStation;
  }

  /** A second station spoke, and since then the link was not down. */
  get isDisabled(): boolean {
    return this.#secondStation?.portDown === true;
  }

  /** Unsigned frames count again, although some were signed here. */
  unpin(now: number): void {
    this.#gate.unpin(this.#neighbour !== null, now);
    this.#user.emit({ kind: 'place' });
  }

  /** Whoever speaks next is the neighbour. */
  forget(): void {
    this.#gate.forget();
    this.#secondStation = null;
    this.#user.emit({ kind: 'place' });
  }

  /** What an LLDPDU to the station's address is taken for. */
  hear(octets: Uint8Array, frame: Frame, lldpdu: Lldpdu, now: number): Hearing {
    return this.#gate.hear(octets, frame, lldpdu, this.#neighbour !== null, now);
  }

  /** The speaker is the neighbour, for as long as its LLDPDU is good. */
  meet(speaker: Speaker, meeting: Meeting, lldpdu: Lldpdu, now: number): void {
    const before = this.#neighbour;
    const neighbour = neighbourFrom(speaker.mac, lldpdu);
    this.#neighbour = neighbour;
    this.#expires = now + lldpdu.ttl * 1000;
    if (this.#gate.meet(speaker, meeting, lldpdu)) this.#user.replaced(meeting.isSure, now);
    if (before === null || !sameNeighbour(before, neighbour))
      this.#user.emit({ kind: 'neighbour', neighbour });
    if (before === null || meeting.isSure) this.#user.emit({ kind: 'place' });
  }

  /** Another station than the one whose place the port is has spoken. */
  hearSecond({ mac, name: systemName }: Speaker, now: number): SecondStation {
    // Whose place it is may never be heard again: the port is not given up for a memory.
    const portDown = this.#options.secondStation === 'down' && this.#neighbour !== null;
    const second = { mac, systemName, at: now, portDown };
    this.#secondStation = second;
    this.#user.ignore('second speaker', `${mac}, ${systemName ?? 'without a name'}`, now);
    return second;
  }

  /** LLDP to an address that is no station's. */
  hearOther(agent: ListeningAgent, source: MacAddress, lldpdu: Lldpdu, now: number): void {
    if (!this.#listener.hear({ agent, ...neighbourFrom(source, lldpdu) }, lldpdu.ttl, now))
      this.#user.ignore('too many neighbours', `from ${source}, to the ${agent}`, now);
  }

  /** What becomes of an ECP request of the neighbour. */
  take(octets: Uint8Array, payload: Uint8Array, now: number): 'fresh' | 'repeated' | 'refused' {
    const { holder } = this.#gate;
    const taken = this.#gate.take(octets, payload, now);
    if (this.#gate.holder !== holder) this.#user.emit({ kind: 'place' });
    return taken;
  }

  /** The neighbour is not heard any more, and did not say so. */
  lose(now: number): void {
    this.#expires = null;
    this.#gate.lose('silent', now);
    if (this.#neighbour === null) return;
    this.#neighbour = null;
    this.#user.emit({ kind: 'neighbour', neighbour: null });
  }

  /** The neighbour, which is lost already, has said good-bye, or somebody in its name. */
  left(now: number): void {
    this.#gate.lose('left', now);
    this.#user.emit({ kind: 'place' });
  }

  /** The link is down; the neighbour is lost already. */
  linkDown(now: number): void {
    this.#gate.lose('left', now);
    this.#secondStation = null;
  }

  /** The others cannot be heard any more. */
  loseOthers(): void {
    this.#listener.clear();
  }

  /** This machine did not run for a while: who could not be heard is awaited anew. */
  excuse(now: number): void {
    const anew = now + txTtl * 1_000;
    if (this.#expires !== null) this.#expires = Math.max(this.#expires, anew);
    this.#gate.excuse(now);
    this.#listener.excuse(anew);
  }

  /** Whether the neighbour's TTL is over. */
  isSilent(now: number): boolean {
    return this.#expires !== null && now >= this.#expires;
  }

  /** The place becomes free, and the others are forgotten, whose time is over. */
  expire(now: number): void {
    if (this.#gate.expire(now)) this.#user.emit({ kind: 'place' });
    this.#listener.expire(now);
  }

  /** @param isUp whether the link is up: while it is down nobody can take the place, however long it has waited */
  deadline(isUp: boolean): number | null {
    return earliest(this.#expires, isUp ? this.#gate.heldUntil : null, this.#listener.deadline());
  }
}
