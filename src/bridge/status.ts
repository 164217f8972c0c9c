import type { Bridge, Json } from '../api/bridge.ts';
import type { VsiStatus } from '../api/vsi.ts';
import type { Timestamp } from '../domain/migration.ts';
import type { VsiId } from '../domain/vsi-id.ts';
import type { Relay } from '../relay/relay.ts';
import type { BridgeAgent } from './agent.ts';
import { places } from './vsi-entry.ts';

/** What the bridge tells the manager of itself: each port's protocol state and what it has counted. */
export function bridgeStatus(name: string, agent: BridgeAgent, relay: Relay, at: Timestamp): Bridge {
  const { ports } = relay.held();
  const counters = relay.counters();
  const states = new Map(agent.portStates().map(({ name, state }) => [name, state]));
  return {
    name,
    at,
    ports: [...ports].map(([port, { kind }]) => {
      const state = states.get(port);
      return {
        name: port,
        kind,
        counters: json(counters.ports.get(port) ?? {}),
        ...(state
          ? {
              link: state.link,
              neighbour: json(state.neighbour),
              evb: json(state.evb),
              protocol: json(state.counters),
              vsis: state.vsis.length,
            }
          : {}),
      };
    }),
  };
}

/** Where a VSI is: at its active port, else where it is awaited. */
export function vsiStatus(bridge: string, vsiId: VsiId, agent: BridgeAgent, at: Timestamp): VsiStatus {
  const entry = agent.entries.get(vsiId);
  const { active, armed } = entry ? places(entry) : { active: null, armed: null };
  const port = (active ?? armed)?.port ?? '-';
  const state = agent.portStates().find(({ name }) => name === port)?.state;
  return {
    association: active ? 'associated' : armed ? 'pre-associated' : 'none',
    bridge,
    port,
    station: state?.neighbour?.systemName ?? null,
    at,
  };
}

function json(value: unknown): Json {
  return JSON.parse(JSON.stringify(value ?? null)) as Json;
}
