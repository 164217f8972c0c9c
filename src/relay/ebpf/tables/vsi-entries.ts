import type { HeldVsi } from './held-vsi.ts';
import { vsiIdFromBytes, type VsiId } from '../../../domain/vsi-id.ts';
import type { MacAddress } from '../../../domain/mac-address.ts';
import { vlansOf, type Policy } from '../../../domain/port-profile.ts';
import type { BpfMap } from '../../../linux/bpf/maps.ts';
import type { Place, PortName } from '../../contract/relay.ts';
import type { DataPlane } from '../memory/data-plane.ts';
import {
  addressValue,
  destinationHint,
  destinationKey,
  sourceHint,
  sourceKey,
  u64,
  unpackVsi,
  type NumberedPlace,
} from '../memory/layout.ts';
import { numbersOf } from '../memory/profile.ts';
import { profileAt, readPolicy } from './profile-table.ts';
import { decodeRecord } from '../memory/record.ts';
import { readIps } from './vsi-ips.ts';

/** One entry of `sources` or `destinations`, and where its hint is; equal ids mean the same key of the same map. */
export interface Entry {
  readonly id: string;
  readonly map: BpfMap;
  readonly key: Uint8Array;
  readonly value: bigint;
  readonly hints: BigUint64Array<ArrayBuffer>;
  readonly hint: number;
}

/** The entries that lead to a VSI. */
export function* entriesOf(plane: DataPlane, held: HeldVsi): Generator<Entry> {
  const { vsi, active, armed, released } = held;
  for (const mac of vsi.addresses) {
    for (const vlan of vlansOf(vsi.policy)) yield destination(plane, mac, vlan, held.slot);
    for (const place of [active, armed, released])
      if (place)
        for (const vid of [place.wireVid, ...vsi.policy.trunk])
          yield source(plane, mac, vid, place, held.slot);
  }
}

export function setEntry({ map, key, value, hints, hint }: Entry): void {
  map.set(key, u64(value));
  Atomics.store(hints, hint, value);
}

export function deleteEntry({ map, key, value, hints, hint }: Entry): void {
  map.delete(key);
  if (hints[hint] === value) Atomics.store(hints, hint, 0n);
}

function destination(plane: DataPlane, mac: MacAddress, vlan: number, slot: number): Entry {
  const key = destinationKey(mac, vlan);
  const map = plane.destinations;
  const hints = plane.destinationHints;
  return {
    id: idOf(key),
    map,
    key,
    value: addressValue(mac, slot),
    hints,
    hint: destinationHint(mac, vlan),
  };
}

function source(
  plane: DataPlane,
  mac: MacAddress,
  vid: number,
  { port, tally }: NumberedPlace,
  slot: number,
): Entry {
  const key = sourceKey(mac, vid, port);
  const map = plane.sources;
  const value = addressValue(mac, slot, tally);
  return { id: idOf(key), map, key, value, hints: plane.sourceHints, hint: sourceHint(mac, vid, port) };
}

/** The keys of the two maps differ in length. */
function idOf(key: Uint8Array): string {
  return Buffer.from(key).toString('latin1');
}

/** Every VSI that lives in the data plane; what is left of others is removed. */
export function readVsis(plane: DataPlane, nameOf: (port: number) => PortName | null): Map<VsiId, HeldVsi> {
  const place = (numbered: NumberedPlace | null): Place | null => {
    const port = numbered && nameOf(numbered.port);
    return port ? { port, wireVid: numbered.wireVid } : null;
  };
  const policies = new Map<number, Policy>();
  const policyOf = (profile: number) => {
    const policy = policies.get(profile) ?? readPolicy(plane, profile);
    policies.set(profile, policy);
    return policy;
  };
  const ips = readIps(plane);
  const vsis = new Map<VsiId, HeldVsi>();
  for (const key of plane.records.keys()) {
    const bytes = plane.records.get(key);
    if (!bytes) continue;
    const { slot, released: gone, addresses, label } = decodeRecord(bytes);
    const { active, armed, profile } = unpackVsi(plane.slot(slot).word);
    if (!profile) {
      plane.records.delete(key);
      continue;
    }
    // of a change that was cut off between record and word, the word counts
    const released = gone && gone.port !== active?.port && gone.port !== armed?.port ? gone : null;
    const { mirrorPort, tenant } = numbersOf(profileAt(plane, profile));
    vsis.set(vsiIdFromBytes(key), {
      slot,
      profile,
      mirrorPort,
      tenant,
      active,
      armed,
      released,
      vsi: {
        addresses,
        ips: ips.get(slot) ?? [],
        policy: policyOf(profile),
        places: { active: place(active), armed: place(armed), released: place(released) },
        label,
      },
    });
  }
  return vsis;
}

/** Makes `sources`, `destinations` and their hints lead to these VSIs and to nothing else. */
export function repairEntries(plane: DataPlane, held: readonly HeldVsi[]): void {
  const right = new Map<string, Entry>();
  for (const vsi of held) for (const entry of entriesOf(plane, vsi)) right.set(entry.id, entry);
  for (const map of [plane.sources, plane.destinations])
    for (const key of map.keys()) if (!right.has(idOf(key))) map.delete(key);
  const hinted = new Set(Array.from(right.values(), ({ value }) => value));
  for (const hints of [plane.sourceHints, plane.destinationHints])
    hints.forEach((value, at) => value && !hinted.has(value) && Atomics.store(hints, at, 0n));
  for (const entry of right.values()) {
    const value = entry.map.get(entry.key);
    const isRight = value && new DataView(value.buffer).getBigUint64(0, true) === entry.value;
    if (!isRight || !entry.hints[entry.hint]) setEntry(entry);
  }
}
