import type { AccessList } from '../../domain/port-profile.ts';
import { vsiIdFromBytes, type VsiId } from '../../domain/vsi-id.ts';
import type { BpfMap } from '../../linux/libbpf.ts';
import type { Place, PortName, RelayVsi } from '../relay.ts';
import { readList } from './access-list/lists.ts';
import type { DataPlane } from './data-plane.ts';
import { addressValue, destinationKey, sourceKey, unpackVsi, type NumberedPlace } from './layout.ts';
import { decodeProfile, listOf, mirrorPortOf, profileSize } from './profile.ts';
import { decodeRecord } from './record.ts';

/** A VSI as the data plane has it. */
export interface HeldVsi {
  readonly slot: number;
  readonly profile: number;
  /** the port that carries the policy's mirror session, 0 if none does */
  readonly mirrorPort: number;
  readonly vsi: RelayVsi;
  readonly active: NumberedPlace | null;
  readonly armed: NumberedPlace | null;
  readonly released: NumberedPlace | null;
}

/** One entry of `sources` or `destinations`; equal ids mean the same key of the same map. */
export interface Entry {
  readonly id: string;
  readonly map: BpfMap;
  readonly key: Uint8Array;
  readonly value: Uint8Array;
}

/** The entries that lead to a VSI. */
export function* entriesOf(plane: DataPlane, held: HeldVsi): Generator<Entry> {
  const { slot, vsi, active, armed, released } = held;
  for (const mac of vsi.addresses) {
    yield entry(plane.destinations, destinationKey(mac, vsi.policy.vlan), addressValue(mac, slot));
    for (const place of [active, armed, released])
      if (place)
        yield entry(
          plane.sources,
          sourceKey(mac, place.wireVid, place.port),
          addressValue(mac, slot, place.tally),
        );
  }
}

/** The keys of the two maps differ in length. */
function entry(map: BpfMap, key: Uint8Array, value: Uint8Array): Entry {
  return { id: Buffer.from(key).toString('latin1'), map, key, value };
}

/** Every VSI that lives in the data plane; what is left of others is removed. */
export function readVsis(plane: DataPlane, nameOf: (port: number) => PortName | null): Map<VsiId, HeldVsi> {
  const place = (numbered: NumberedPlace | null): Place | null => {
    const port = numbered && nameOf(numbered.port);
    return port ? { port, wireVid: numbered.wireVid } : null;
  };
  const lists = new Map<number, AccessList>();
  const listAt = (number: number) => {
    const list = lists.get(number) ?? readList(plane.lists, number);
    lists.set(number, list);
    return list;
  };
  const vsis = new Map<VsiId, HeldVsi>();
  for (const key of plane.records.keys()) {
    const bytes = plane.records.get(key);
    if (!bytes) continue;
    const { slot, released: gone, addresses, label } = decodeRecord(bytes);
    const { active, armed, profile } = unpackVsi(plane.vsis[slot]!);
    if (!profile) {
      plane.records.delete(key);
      continue;
    }
    // of a change that was cut off between record and word, the word counts
    const released = gone && gone.port !== active?.port && gone.port !== armed?.port ? gone : null;
    const encoded = plane.profiles.subarray(profile * profileSize, (profile + 1) * profileSize);
    vsis.set(vsiIdFromBytes(key), {
      slot,
      profile,
      mirrorPort: mirrorPortOf(encoded),
      active,
      armed,
      released,
      vsi: {
        addresses,
        ips: [],
        policy: decodeProfile(encoded, listAt(listOf(encoded))),
        places: { active: place(active), armed: place(armed), released: place(released) },
        label,
      },
    });
  }
  return vsis;
}

/** Makes `sources` and `destinations` lead to these VSIs and to nothing else. */
export function repairEntries(plane: DataPlane, held: readonly HeldVsi[]): void {
  const right = new Map<string, Entry>();
  for (const vsi of held) for (const entry of entriesOf(plane, vsi)) right.set(entry.id, entry);
  for (const map of [plane.sources, plane.destinations])
    for (const key of map.keys()) {
      const id = Buffer.from(key).toString('latin1');
      const value = map.get(key);
      const wanted = right.get(id);
      if (!wanted) map.delete(key);
      else if (value && Buffer.compare(value, wanted.value) === 0) right.delete(id);
    }
  for (const entry of right.values()) entry.map.set(entry.key, entry.value);
}
