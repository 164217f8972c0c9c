import { serveLocal } from '../api/local-socket.ts';
import type { BridgePort } from '../protocol/bridge-port.ts';
import type { Timing } from '../protocol/evb/timers.ts';
import type { PortName, Relay, RelayPort } from '../relay/relay.ts';
import type { BridgeAgent } from './agent.ts';

type Machine = ReturnType<BridgePort['state']>;
type Ago<T> = Omit<T, 'at'> & { readonly ago: number };

/** What `hairpin bridge show` prints: the bridge as its agent sees it now. */
export interface ShownBridge {
  readonly name: string;
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
    readonly otherNeighbours: Machine['otherNeighbours'];
    /** `ago`: seconds */
    readonly secondStation: Ago<NonNullable<Machine['secondStation']>> | null;
    readonly evb: Machine['evb'];
    readonly sChannels: Machine['sChannels'];
    /** in seconds, and the number of ECP's repeats */
    readonly timers: Timing;
    readonly vsis: Machine['vsis'];
    /** requests that wait for a decision */
    readonly pending: number;
    readonly counters: Machine['counters'];
    /** `ago`: seconds */
    readonly lastRefusal: Ago<NonNullable<Machine['lastRefusal']>> | null;
  };
}

/** Serves `POST /show` on a local socket, for `hairpin bridge show`. @throws LocalSocketError */
export function serveShow(path: string, name: string, agent: BridgeAgent, relay: Relay, now: () => number) {
  return serveLocal(path, { show: () => Promise.resolve(shown(name, agent, relay, now())) });
}

export function shown(name: string, agent: BridgeAgent, relay: Relay, now: number): ShownBridge {
  const machines = new Map(agent.portStates().map(({ name, state }) => [name, state]));
  const counters = relay.counters().ports;
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
      ...(machine ? { station: stationOf(machine, now) } : {}),
    };
  });
  return { name, ports };
}

function stationOf(machine: Machine, now: number): NonNullable<ShownPort['station']> {
  const { link, neighbour, otherNeighbours, secondStation } = machine;
  const { evb, sChannels, vsis, pending, counters, lastRefusal } = machine;
  return {
    link,
    neighbour,
    otherNeighbours,
    secondStation: secondStation && ago(secondStation, now),
    evb,
    sChannels,
    timers: inSeconds(machine.timers),
    vsis,
    pending,
    counters,
    lastRefusal: lastRefusal && ago(lastRefusal, now),
  };
}

function ago<T extends { readonly at: number }>({ at, ...rest }: T, now: number): Ago<T> {
  return { ...rest, ago: Math.round((now - at) / 1000) };
}

function inSeconds({ retries, ...times }: Timing): Timing {
  const seconds = Object.fromEntries(Object.entries(times).map(([name, ms]) => [name, ms / 1000]));
  return { retries, ...(seconds as Omit<Timing, 'retries'>) };
}
