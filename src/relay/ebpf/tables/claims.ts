import type { VsiId } from '../../../domain/vsi-id.ts';
import { destinationClaims, sourceClaims } from '../../contract/checks.ts';
import { RelayError, type RelayVsi } from '../../contract/relay.ts';
import { destinationCapacity, sourceCapacity } from '../memory/layout.ts';

/** Who is to have what and has what, in a change; null for a VSI that comes or goes. */
export interface ClaimChange {
  readonly id: VsiId;
  readonly old: RelayVsi | null;
  readonly now: RelayVsi | null;
}

/** Which VSI each entry of `destinations` and of `sources` leads to: the driver's own copy of the two maps' keys. */
export class Claims {
  readonly #kinds: readonly ClaimKind[];

  constructor(capacity = { destinations: destinationCapacity, sources: sourceCapacity }) {
    this.#kinds = [
      { of: destinationClaims, capacity: capacity.destinations, owners: new Map() },
      { of: sourceClaims, capacity: capacity.sources, owners: new Map() },
    ];
  }

  add(id: VsiId, vsi: RelayVsi): void {
    for (const { of, owners } of this.#kinds) for (const claim of of(vsi)) owners.set(claim, id);
  }

  delete(vsi: RelayVsi): void {
    for (const { of, owners } of this.#kinds) for (const claim of of(vsi)) owners.delete(claim);
  }

  /** @throws RelayError where two VSIs claim the same frames, or a map has no room for old and new entries at once */
  check(changes: readonly ClaimChange[]): void {
    for (const kind of this.#kinds) check(kind, changes);
  }
}

interface ClaimKind {
  readonly of: (vsi: RelayVsi) => Iterable<string>;
  readonly capacity: number;
  readonly owners: Map<string, VsiId>;
}

function check({ of, capacity, owners }: ClaimKind, changes: readonly ClaimChange[]): void {
  const freed = new Set<string>();
  for (const { old } of changes) if (old) for (const claim of of(old)) freed.add(claim);
  const taken = new Map<string, VsiId>();
  let added = 0;
  for (const { id, now } of changes)
    for (const claim of now ? of(now) : []) {
      const owner = taken.get(claim) ?? (freed.has(claim) ? undefined : owners.get(claim));
      if (owner)
        throw new RelayError(`VSI ${id}: ${claim} belongs to ${owner === id ? 'it already' : owner}`);
      taken.set(claim, id);
      if (!owners.has(claim)) added++;
    }
  // the new entries come before the old ones go, so that no frame finds neither
  if (owners.size + added > capacity)
    throw new RelayError(
      `the data plane has room for ${capacity} address entries of a kind; ${owners.size} are there, and ${added} would come before any goes: change fewer VSIs at once`,
    );
}
