import type { Bridge, Json } from '../../domain/bridge.ts';
import type { VsiStatus } from '../../domain/vsi.ts';
import type { Timestamp } from '../../domain/migration.ts';
import type { VsiId } from '../../domain/vsi-id.ts';
import type { SecondStation } from '../../protocol/neighbourhood.ts';
import type { PortName, Relay } from '../../relay/contract/relay.ts';
import type { BridgeAgent } from '../core/agent.ts';
import { linkOf } from '../core/port-link.ts';
import { places } from '../core/vsi-entry.ts';

/** What the bridge tells the manager of itself: each port's protocol state and what it has counted. */
export function bridgeStatus(name: string, agent: BridgeAgent, relay: Relay, at: Timestamp): Bridge {
  const counters = relay.portCounters();
  const states = new Map(agent.portStates().map(({ name, state }) => [name, state]));
  return {
    name,
    at,
    refused: Array.from(agent.refused, ([what, reason]) => ({ what, reason: reason.slice(0, 500) })),
    ports: [...agent.portKinds].map(([port, kind]) => {
      const state = states.get(port);
      return {
        name: port,
        kind,
        link: linkOf(agent.links.get(port), state),
        counters: json(counters.get(port) ?? {}),
        ...(state
          ? {
              neighbour: json(state.neighbour),
              otherNeighbours: json(state.otherNeighbours),
              secondStation: json(state.secondStation && withoutClock(state.secondStation)),
              evb: json(state.evb),
              protocol: json(state.counters),
              vsis: state.vsis.length,
            }
          : {}),
      };
    }),
  };
}

/** What the bridge tells the manager of where its VSIs are. */
export class Whereabouts {
  readonly #bridge: string;
  readonly #ports = new Map<VsiId, PortName>();

  constructor(bridge: string) {
    this.#bridge = bridge;
  }

  /**
   * Where a VSI is: at its active port, else where it is awaited. Of one that is gone, the port it was told to be at:
   * only that port's word ends it. Null: it was never told, so that there is nothing to tell.
   */
  of(vsiId: VsiId, agent: BridgeAgent, at: Timestamp): VsiStatus | null {
    const entry = agent.entries.get(vsiId);
    const { active, armed } = entry ? places(entry) : { active: null, armed: null };
    const port = (active ?? armed)?.port ?? this.#ports.get(vsiId);
    if (port === undefined) return null;
    if (active ?? armed) this.#ports.set(vsiId, port);
    else this.#ports.delete(vsiId);
    const held = active && agent.heldSince(vsiId, port);
    return {
      association: active ? 'associated' : armed ? 'pre-associated' : 'none',
      bridge: this.#bridge,
      port,
      station: agent.stationAt(port),
      at,
      ...(held !== null && { held }),
    };
  }
}

/** What the machine's clock shows means nothing elsewhere. */
function withoutClock({ mac, systemName, portDown }: SecondStation) {
  return { mac, systemName, portDown };
}

function json(value: unknown): Json {
  return JSON.parse(JSON.stringify(value ?? null)) as Json;
}
