import { z } from 'zod';
import { tenantSchema } from '../../api/tenant.ts';
import type { RateLimit } from '../../domain/port-profile.ts';
import type { MacAddress } from '../../domain/mac-address.ts';
import { profileKey, type ProfileKey } from '../../domain/profile-ref.ts';
import { nullVid, type Vid } from '../../domain/vid.ts';
import type { VsiId } from '../../domain/vsi-id.ts';
import type { BridgePort } from '../../protocol/bridge-port.ts';
import type { Timing } from '../../protocol/evb/timers.ts';
import type {
  Place,
  Places,
  PortName,
  Relay,
  RelayCounters,
  RelayPort,
  VsiCounters,
} from '../../relay/contract/relay.ts';
import type { BridgeAgent } from '../core/agent.ts';
import { linkOf, type PortLink } from '../core/port-link.ts';
import { occurred } from '../core/tally.ts';
import type { VmNames } from './vm-names.ts';
import { places, type FlipCause, type VsiEntry } from '../core/vsi-entry.ts';

type Machine = ReturnType<BridgePort['state']>;
type Ago<T> = Omit<T, 'at'> & { readonly ago: number };

/** What `hairpin bridge show` prints: the bridge as its agent sees it now. */
export interface ShownBridge {
  readonly name: string;
  /** what the data plane has refused to do so far; it is tried again */
  readonly owed: string | null;
  readonly ports: readonly ShownPort[];
  readonly vsis: readonly CountedVsi[];
  readonly hosts: readonly ShownHost[];
  /** the limits that are in force */
  readonly tenants: readonly ShownTenant[];
  /** addresses learned on network ports; null: the relay does not tell */
  readonly learned: number | null;
  /** what was changed and the data plane cannot do; what was before is in force */
  readonly refused: readonly { readonly what: string; readonly reason: string }[];
  /** flips that were made before the destination's station had said that the VM runs there */
  readonly flips: BridgeAgent['flips'];
  /** frames that told the network of moves, and VSIs that wait for theirs or move too often */
  readonly announced: BridgeAgent['announced'];
}

/** As `hairpin tenant get` has it. */
export interface ShownTenant {
  readonly name: string;
  readonly rate: { readonly fromVm?: RateLimit; readonly toVm?: RateLimit };
  readonly guaranteed: number | null;
}

/** by reason, without those that never occurred */
export type Dropped = Readonly<Record<string, number>>;

/** A station port has all of it, another port only its kind, its link, its MTU and what the relay counts. */
export interface ShownPort {
  readonly name: PortName;
  readonly kind: RelayPort['kind'];
  readonly link: PortLink;
  /** of a network port: the VLANs in which it is the active one, and those in which it stands by */
  readonly network?: { readonly active: readonly Vid[]; readonly standby: readonly Vid[] };
  /** octets behind the Ethernet header; null: it has no interface */
  readonly mtu: number | null;
  readonly frames: {
    readonly in: number;
    readonly out: number;
    readonly dropped: Dropped;
  };
  readonly station?: {
    readonly link: Machine['link'];
    readonly neighbour: Machine['neighbour'];
    /** why the station is believed; null: there is none */
    readonly trust: Machine['trust'];
    /** whose place the port is, also while it is not heard */
    readonly holder: Pick<NonNullable<Machine['holder']>, 'mac' | 'name'> | null;
    /** for how many seconds yet nobody else can take the place of a holder that is not heard */
    readonly heldFor: number | null;
    readonly otherNeighbours: Machine['otherNeighbours'];
    /** `ago`: seconds */
    readonly secondStation: Ago<NonNullable<Machine['secondStation']>> | null;
    readonly evb: Machine['evb'];
    readonly sChannels: Machine['sChannels'];
    /** in seconds, and the number of ECP's repeats */
    readonly timers: Timing;
    readonly vsis: readonly ShownVsi[];
    /** requests that wait for a decision */
    readonly pending: number;
    readonly counters: Machine['counters'];
    /** `ago`: seconds */
    readonly lastRefusal: Ago<NonNullable<Machine['lastRefusal']>> | null;
  };
}

/** `place`: what the data plane does with the VSI here; a source that has not let go yet is `released`. */
export type ShownVsi = Omit<Machine['vsis'][number], 'since' | 'heldSince'> & {
  readonly place: keyof Places | null;
  /** seconds that it is associated so, as far as the agent that runs now knows */
  readonly age: number;
  /** seconds that it is held without its station's keep-alives; null: they come in time */
  readonly held: number | null;
};

/** A host's own traffic, which the configuration declares. */
export interface ShownHost extends Omit<CountedPlace, 'role'> {
  readonly vsiId: VsiId;
  readonly macs: readonly MacAddress[];
  readonly vlan: Vid;
  readonly tagged: boolean;
}

/** What is counted of a VSI. */
export interface CountedVsi {
  readonly vsiId: VsiId;
  /** the VM's name */
  readonly vm: string | null;
  readonly profile: ProfileKey;
  readonly tenant: string;
  readonly vlan: Vid;
  readonly trunk: readonly Vid[];
  readonly places: readonly CountedPlace[];
  /** why it is active where its station has not said yet that the VM runs there; null: that is confirmed */
  readonly provisional: FlipCause | null;
}

export interface CountedPlace {
  readonly port: PortName;
  readonly role: keyof Places;
  readonly fromVm: VsiCounters['fromVm'];
  readonly toVm: VsiCounters['toVm'];
  readonly dropped: Dropped;
}

export function shown(
  name: string,
  agent: BridgeAgent,
  relay: Relay,
  names: VmNames,
  mtuOf: (port: PortName) => number | undefined,
  now: number,
): ShownBridge {
  const counters = relay.counters();
  const { learned = null } = counters;
  return {
    name,
    owed: agent.owed,
    ports: portsOf(agent, counters.ports, mtuOf, now),
    vsis: Array.from(agent.entries.values(), (entry) => vsiOf(entry, counters, names)),
    hosts: Array.from(agent.hosts, ([vsiId, { port, host }]) => {
      const { role: _, ...counted } = placeOf(
        'active',
        { port, wireVid: nullVid },
        counters.vsis.get(vsiId)?.get(port),
      );
      return { vsiId, ...host, ...counted };
    }),
    tenants: Array.from(
      agent.tenants,
      ([name, limits]) => z.encode(tenantSchema, { name, ...limits }) as ShownTenant,
    ),
    learned,
    refused: Array.from(agent.refused, ([what, reason]) => ({ what, reason })),
    flips: agent.flips,
    announced: agent.announced,
  };
}

function vsiOf(entry: VsiEntry, { vsis }: RelayCounters, names: VmNames): CountedVsi {
  const { vsiId, profile, policy } = entry;
  const counted = vsis.get(vsiId);
  return {
    vsiId,
    vm: names.of(vsiId),
    profile: profileKey(profile),
    tenant: policy.tenant,
    vlan: policy.vlan,
    trunk: policy.trunk,
    provisional: entry.flip,
    places: Object.entries(places(entry)).flatMap(([role, place]: [string, Place | null]) =>
      place ? [placeOf(role as keyof Places, place, counted?.get(place.port))] : [],
    ),
  };
}

const nothing = { frames: 0, octets: 0 };

function placeOf(role: keyof Places, { port }: Place, counted: VsiCounters | undefined): CountedPlace {
  const { fromVm = nothing, toVm = nothing } = counted ?? {};
  return { port, role, fromVm, toVm, dropped: occurred(counted?.dropped) };
}

function portsOf(
  agent: BridgeAgent,
  counters: RelayCounters['ports'],
  mtuOf: (port: PortName) => number | undefined,
  now: number,
): ShownPort[] {
  const machines = new Map(agent.portStates().map(({ name, state }) => [name, state]));
  const ports = [...agent.portKinds].map(([port, kind]): ShownPort => {
    const machine = machines.get(port);
    const counted = counters.get(port);
    return {
      name: port,
      kind,
      link: linkOf(agent.links.get(port), machine),
      mtu: mtuOf(port) ?? null,
      frames: {
        in: counted?.framesIn ?? 0,
        out: counted?.framesOut ?? 0,
        dropped: occurred(counted?.dropped),
      },
      ...(kind === 'network' && { network: networkOf(agent, port) }),
      ...(machine
        ? { station: stationOf(machine, now, (vsiId) => placeAt(port, agent.entries.get(vsiId))) }
        : {}),
    };
  });
  return ports.sort((a, b) => a.name.localeCompare(b.name, 'en', { numeric: true }));
}

function networkOf(agent: BridgeAgent, port: PortName): NonNullable<ShownPort['network']> {
  const isActive = (vlan: Vid) => agent.networkPorts.get(vlan) === port;
  const vlans = agent.vlansOf(port);
  return { active: vlans.filter(isActive), standby: vlans.filter((vlan) => !isActive(vlan)) };
}

function placeAt(port: PortName, entry: VsiEntry | undefined): keyof Places | null {
  for (const [part, place] of Object.entries(entry ? places(entry) : {}) as [keyof Places, Place | null][])
    if (place?.port === port) return part;
  return null;
}

function stationOf(
  machine: Machine,
  now: number,
  placeOf: (vsiId: VsiId) => keyof Places | null,
): NonNullable<ShownPort['station']> {
  const { link, neighbour, trust, holder, heldUntil, otherNeighbours, secondStation } = machine;
  const { evb, sChannels, vsis, pending, counters, lastRefusal } = machine;
  return {
    link,
    neighbour,
    trust,
    holder: holder && { mac: holder.mac, name: holder.name },
    heldFor: heldUntil === null ? null : Math.max(0, Math.ceil((heldUntil - now) / 1000)),
    otherNeighbours,
    secondStation: secondStation && ago(secondStation, now),
    evb,
    sChannels,
    timers: inSeconds(machine.timers),
    vsis: vsis.map(({ vsiId, association, profile, filter, since, heldSince }) => ({
      vsiId,
      association,
      place: placeOf(vsiId),
      age: secondsSince(since, now),
      held: heldSince === null ? null : secondsSince(heldSince, now),
      profile,
      filter,
    })),
    pending,
    counters,
    lastRefusal: lastRefusal && ago(lastRefusal, now),
  };
}

function ago<T extends { readonly at: number }>({ at, ...rest }: T, now: number): Ago<T> {
  return { ...rest, ago: secondsSince(at, now) };
}

function secondsSince(at: number, now: number): number {
  return Math.round((now - at) / 1000);
}

function inSeconds({ retries, ...times }: Timing): Timing {
  const seconds = Object.fromEntries(Object.entries(times).map(([name, ms]) => [name, ms / 1000]));
  return { retries, ...(seconds as Omit<Timing, 'retries'>) };
}
