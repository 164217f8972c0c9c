import type { MacAddress } from '../../domain/mac-address.ts';
import type { VsiId } from '../../domain/vsi-id.ts';
import type { PortName, RelayVsi } from '../../relay/contract/relay.ts';
import { toRelay } from './label.ts';
import type { VsiEntry } from './vsi-entry.ts';

/**
 * The bridge's VSIs, and what of them has to be at hand at once however many there are. What the relay is told of an
 * entry is the same object as long as the entry is, so that a driver sees at a glance what did not change.
 */
export class EntryBook {
  readonly #entries = new Map<VsiId, VsiEntry>();
  readonly #relayed = new Map<VsiId, RelayVsi>();
  readonly #owners = new Index<MacAddress>();
  readonly #ports = new Index<PortName>();
  #unapplied: Set<VsiId> | null = null;

  /** The VSIs that may not be in the data plane as they are here; null: any may be so, as nothing was applied yet. */
  get unapplied(): ReadonlySet<VsiId> | null {
    return this.#unapplied;
  }

  /** The data plane has all as it is here. */
  applied(): void {
    this.#unapplied = new Set();
  }

  get entries(): ReadonlyMap<VsiId, VsiEntry> {
    return this.#entries;
  }

  get relayed(): ReadonlyMap<VsiId, RelayVsi> {
    return this.#relayed;
  }

  get(vsiId: VsiId): VsiEntry | null {
    return this.#entries.get(vsiId) ?? null;
  }

  /** Whether it is a VSI's address, wherever that is attached. */
  hasAddress(mac: MacAddress): boolean {
    return this.#owners.has(mac);
  }

  /** The VSIs that have an address: in different VLANs there may be several. */
  owners(mac: MacAddress): VsiEntry[] {
    return this.#all(this.#owners.of(mac));
  }

  /** The VSIs that are attached at a port. */
  at(port: PortName): VsiEntry[] {
    return this.#all(this.#ports.of(port));
  }

  /** Whether a VSI is attached at the port. */
  isUsed(port: PortName): boolean {
    return this.#ports.has(port);
  }

  /** The relay is told of a VSI that has no entry, because nobody asks for it; null: not any more. */
  declare(vsiId: VsiId, vsi: RelayVsi | null): void {
    this.#unapplied?.add(vsiId);
    if (vsi) this.#relayed.set(vsiId, vsi);
    else this.#relayed.delete(vsiId);
  }

  /** Null: the VSI is nowhere any more. */
  put(vsiId: VsiId, entry: VsiEntry | null): void {
    this.#unapplied?.add(vsiId);
    const before = this.#entries.get(vsiId);
    for (const mac of before?.addresses ?? []) this.#owners.delete(mac, vsiId);
    for (const port of before?.attachments.keys() ?? []) this.#ports.delete(port, vsiId);
    if (!entry) {
      this.#entries.delete(vsiId);
      this.#relayed.delete(vsiId);
      return;
    }
    this.#entries.set(vsiId, entry);
    this.#relayed.set(vsiId, toRelay(entry));
    for (const mac of entry.addresses) this.#owners.add(mac, vsiId);
    for (const port of entry.attachments.keys()) this.#ports.add(port, vsiId);
  }

  #all(vsiIds: Iterable<VsiId>): VsiEntry[] {
    return Array.from(vsiIds, (vsiId) => this.#entries.get(vsiId)!);
  }
}

/** The VSIs that have something, each once. */
class Index<Key> {
  readonly #vsis = new Map<Key, Set<VsiId>>();

  has(key: Key): boolean {
    return this.#vsis.has(key);
  }

  of(key: Key): Iterable<VsiId> {
    return this.#vsis.get(key) ?? [];
  }

  add(key: Key, vsiId: VsiId): void {
    const vsis = this.#vsis.get(key);
    if (vsis) vsis.add(vsiId);
    else this.#vsis.set(key, new Set([vsiId]));
  }

  delete(key: Key, vsiId: VsiId): void {
    const vsis = this.#vsis.get(key);
    vsis?.delete(vsiId);
    if (vsis?.size === 0) this.#vsis.delete(key);
  }
}
