import { z } from 'zod';
import { explainIssues } from '../../forms/explain.ts';
import { serveLocal } from '../../local/socket-server.ts';
import { strict } from '../../forms/strict.ts';
import { Invalid } from '../../base/invalid.ts';
import type { Timestamp } from '../../domain/migration.ts';
import type { PortName, Relay } from '../../relay/contract/relay.ts';
import { dropReasons } from '../../domain/drop-reason.ts';
import type { BridgeAgent } from '../core/agent.ts';
import type { Directory } from '../core/directory.ts';
import { DropWatch } from './drop-watch.ts';
import { ruleCounts } from './rule-counts.ts';
import { shown } from './show.ts';
import { VmNames } from './vm-names.ts';

export interface ControlParts {
  readonly name: string;
  readonly agent: BridgeAgent;
  readonly relay: Relay;
  readonly directory: Directory;
  /** octets behind the Ethernet header; undefined: the port has no interface */
  readonly mtuOf: (port: PortName) => number | undefined;
  /** in ms, of the clock of the agent's machines */
  readonly now: () => number;
  /** a moment of the data plane's clock (ns, CLOCK_MONOTONIC) as a time stamp */
  readonly stampOf: (monotonic: bigint) => Timestamp;
}

const dropFilter = strict({
  port: z.string().optional(),
  vsi: z.string().optional(),
  reason: z.enum(dropReasons).optional(),
});
const ofVsi = strict({ vsi: z.string() });
const ofPort = strict({ port: z.string() });

/**
 * Serves a bridge on a local socket: `POST /show` and `POST /rules` for `hairpin bridge show` and `rules`, and
 * `POST /drops`, a stream, for `hairpin bridge drops --follow`; `POST /unpin` and `POST /forget`. @throws LocalSocketError
 */
export function serveControl(path: string, parts: ControlParts) {
  const { name, agent, relay, directory, mtuOf, now, stampOf } = parts;
  const names = new VmNames(agent, directory);
  const drops = new DropWatch(relay, names, stampOf);
  return serveLocal(
    path,
    {
      unpin: async (body) => orderAt(agent, 'unpin', parsed('unpin', ofPort, body).port),
      forget: async (body) => orderAt(agent, 'forget', parsed('forget', ofPort, body).port),
      show: async () => shown(name, agent, relay, names, mtuOf, now()),
      rules: async (body) => ruleCounts(agent, relay, names, parsed('rules', ofVsi, body).vsi),
    },
    {
      drops: (body, gone) => {
        const filter = parsed('drops', dropFilter, body);
        const ports = [...agent.portKinds.keys()];
        if (filter.port !== undefined && !ports.includes(filter.port))
          throw new Invalid(`${name} has no port ${filter.port}; it has ${ports.join(', ')}`);
        return drops.follow(filter, gone);
      },
    },
  );
}

/** @throws Invalid */
function orderAt(agent: BridgeAgent, what: 'unpin' | 'forget', port: string): { readonly done: true } {
  if (agent[what](port)) return { done: true };
  const ports = agent.portStates().map(({ name }) => name);
  throw new Invalid(`there is no station port ${port}; there is ${ports.join(', ')}`);
}

function parsed<T>(what: string, schema: z.ZodType<T>, body: unknown): T {
  const result = schema.safeParse(body);
  if (!result.success) throw new Invalid(explainIssues(what, result.error, body).join('; '));
  return result.data;
}
