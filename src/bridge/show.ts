import { serveLocal } from '../api/local-socket.ts';
import type { BridgePort } from '../protocol/bridge-port.ts';
import type { Timing } from '../protocol/evb/timers.ts';
import type { VsiId } from '../domain/vsi-id.ts';
import type { Place, Places, PortName, Relay, RelayPort } from '../relay/relay.ts';
import type { BridgeAgent } from './agent.ts';
import { places, type VsiEntry } from './vsi-entry.ts';

type Machine = ReturnType<BridgePort['state']>;

/** What `hairpin bridge show` prints: the bridge as its agent sees it now. */
export interface ShownBridge {
  readonly name: string;
  /** what the data plane has refused to do so far; it is tried again */
  readonly owed: string | null;
  readonly ports: readonly ShownPort[];
}

/** A station port has all of it, another port only its kind and what the relay counts. */
export interface ShownPort {
  readonly name: PortName;
  readonly kind: RelayPort['kind'];
  readonly frames: {
    readonly in: number;
    readonly out: number;
    /** by reason, without those that never occurred */
    readonly dropped: Readonly<Record<string, number>>;
  };
  readonly station?: {
    readonly link: Machine['link'];
    readonly neighbour: Machine['neighbour'];
    readonly evb: Machine['evb'];
    readonly sChannels: Machine['sChannels'];
    /** in seconds, and the number of ECP's repeats */
    readonly timers: Timing;
    readonly vsis: readonly ShownVsi[];
    /** requests that wait for a decision */
    readonly pending: number;
    readonly counters: Machine['counters'];
    /** `ago`: seconds */
    readonly lastRefusal: (Omit<NonNullable<Machine['lastRefusal']>, 'at'> & { readonly ago: number }) | null;
  };
}

/** `place`: what the data plane does with the VSI here; a source that has not let go yet is `released`. */
export type ShownVsi = Machine['vsis'][number] & { readonly place: keyof Places | null };

/** Serves `POST /show` on a local socket, for `hairpin bridge show`. @throws LocalSocketError */
export function serveShow(path: string, name: string, agent: BridgeAgent, relay: Relay, now: () => number) {
  return serveLocal(path, { show: () => Promise.resolve(shown(name, agent, relay, now())) });
}

export function shown(name: string, agent: BridgeAgent, relay: Relay, now: number): ShownBridge {
  const machines = new Map(agent.portStates().map(({ name, state }) => [name, state]));
  const counters = relay.portCounters();
  const ports = [...relay.held().ports].map(([port, { kind }]): ShownPort => {
    const machine = machines.get(port);
    const counted = counters.get(port);
    const dropped = Object.entries(counted?.dropped ?? {}).filter(([, frames]) => frames > 0);
    return {
      name: port,
      kind,
      frames: {
        in: counted?.framesIn ?? 0,
        out: counted?.framesOut ?? 0,
        dropped: Object.fromEntries(dropped),
      },
      ...(machine
        ? { station: stationOf(machine, now, (vsiId) => placeAt(port, agent.entries.get(vsiId))) }
        : {}),
    };
  });
  ports.sort((a, b) => a.name.localeCompare(b.name, 'en', { numeric: true }));
  return { name, owed: agent.owed, ports };
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
  const { link, neighbour, evb, sChannels, vsis, pending, counters, lastRefusal } = machine;
  return {
    link,
    neighbour,
    evb,
    sChannels,
    timers: inSeconds(machine.timers),
    vsis: vsis.map((vsi) => ({ ...vsi, place: placeOf(vsi.vsiId) })),
    pending,
    counters,
    lastRefusal: lastRefusal && refusedAgo(lastRefusal, now),
  };
}

function refusedAgo({ at, ...refusal }: NonNullable<Machine['lastRefusal']>, now: number) {
  return { ...refusal, ago: Math.round((now - at) / 1000) };
}

function inSeconds({ retries, ...times }: Timing): Timing {
  const seconds = Object.fromEntries(Object.entries(times).map(([name, ms]) => [name, ms / 1000]));
  return { retries, ...(seconds as Omit<Timing, 'retries'>) };
}
