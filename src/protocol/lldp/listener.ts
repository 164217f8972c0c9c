import type { MacAddress } from '../../domain/mac-address.ts';
import { nearestBridge, nearestNonTpmrBridge } from '../ethernet.ts';
import { sameNeighbour, type Neighbour } from './neighbour.ts';

/** The agents that only listen, by the address that they listen to (802.1AB table 7-1). */
export const listeningAgents = {
  'nearest bridge': nearestBridge,
  'nearest non-TPMR bridge': nearestNonTpmrBridge,
} as const satisfies Record<string, MacAddress>;
export type ListeningAgent = keyof typeof listeningAgents;

/** Somebody who speaks LLDP to another address than the station does. */
export interface OtherNeighbour extends Neighbour {
  readonly agent: ListeningAgent;
}

export interface OtherNeighbourChange {
  readonly kind: 'other neighbour';
  readonly change: 'new' | 'changed' | 'gone';
  readonly neighbour: OtherNeighbour;
}

interface Entry {
  readonly neighbour: OtherNeighbour;
  readonly expires: number;
}

/** What a frame sent to `destination` is heard by, if anything. */
export function listenerOf(destination: MacAddress): ListeningAgent | null {
  for (const [agent, address] of Object.entries(listeningAgents))
    if (address === destination) return agent as ListeningAgent;
  return null;
}

/**
 * LLDP's receive machine (802.1AB 9.2.9) where nothing is sent: who is there, by agent, chassis and port, until its TTL is
 * over. It is for people to read; nothing of EVB comes of it.
 */
export class LldpListener {
  readonly #limit: number;
  readonly #emit: (change: OtherNeighbourChange) => void;
  readonly #entries = new Map<string, Entry>();

  /** Remembers at most `limit` neighbours. */
  constructor(limit: number, emit: (change: OtherNeighbourChange) => void) {
    this.#limit = limit;
    this.#emit = emit;
  }

  get neighbours(): readonly OtherNeighbour[] {
    return Array.from(this.#entries.values(), ({ neighbour }) => neighbour);
  }

  /** False if there are too many already. `ttl` is in seconds; 0: it leaves. */
  hear(neighbour: OtherNeighbour, ttl: number, now: number): boolean {
    const key = JSON.stringify([neighbour.agent, neighbour.chassisId, neighbour.portId]);
    const before = this.#entries.get(key);
    if (ttl === 0) {
      if (before) this.#forget(key, before);
      return true;
    }
    if (!before && this.#entries.size >= this.#limit) return false;
    this.#entries.set(key, { neighbour, expires: now + ttl * 1000 });
    if (!before) this.#emit({ kind: 'other neighbour', change: 'new', neighbour });
    else if (!sameNeighbour(before.neighbour, neighbour))
      this.#emit({ kind: 'other neighbour', change: 'changed', neighbour });
    return true;
  }

  /** Nobody's TTL is over before. */
  excuse(until: number): void {
    for (const [key, { neighbour, expires }] of this.#entries)
      this.#entries.set(key, { neighbour, expires: Math.max(expires, until) });
  }

  expire(now: number): void {
    for (const [key, entry] of this.#entries) if (entry.expires <= now) this.#forget(key, entry);
  }

  /** Who is there can be told no more: the link is down. */
  clear(): void {
    for (const [key, entry] of this.#entries) this.#forget(key, entry);
  }

  deadline(): number | null {
    let first: number | null = null;
    for (const { expires } of this.#entries.values()) if (first === null || expires < first) first = expires;
    return first;
  }

  #forget(key: string, { neighbour }: Entry): void {
    this.#entries.delete(key);
    this.#emit({ kind: 'other neighbour', change: 'gone', neighbour });
  }
}
