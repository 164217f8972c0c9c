import type { Logger } from 'pino';
import { ApiClient } from '../../client/client.ts';
import { Reporter } from '../../client/reporter.ts';
import type { VsiId } from '../../domain/vsi-id.ts';
import { now } from '../../linux/clock.ts';
import type { Relay } from '../../relay/contract/relay.ts';
import type { BridgeAgent } from '../core/agent.ts';
import { ManagerDirectory } from './manager-directory.ts';
import type { Source } from './source.ts';
import { bridgeStatus, Whereabouts } from './status.ts';

const statusIntervalMs = 10_000;

export interface ManagerAccess {
  /** the bridge's own name */
  readonly name: string;
  readonly manager: string;
  readonly token?: string | undefined;
  readonly stateDirectory: string;
}

/** A bridge that has a manager: it follows the manager's database, and reports its ports, VSIs and migrations. */
export function managed({ name, manager, token, stateDirectory }: ManagerAccess, logger: Logger): Source {
  const api = new ApiClient(manager, { token });
  const reporter = new Reporter((refused) => logger.warn(`the manager refused: ${refused}`));
  const directory = new ManagerDirectory(api, stateDirectory, (message) => logger.warn(message));
  const whereabouts = new Whereabouts(name);
  let running: { agent: BridgeAgent; relay: Relay; timer: NodeJS.Timeout } | null = null;

  const changed = (vsiId: VsiId | null): void => {
    if (!running) return;
    const { agent, relay } = running;
    reporter.tell(() => api.put('bridges', bridgeStatus(name, agent, relay, now())), 'bridge');
    const status = vsiId && whereabouts.of(vsiId, agent, now());
    if (status) reporter.tell(() => api.putStatus(vsiId, status), vsiId);
  };

  return {
    directory,
    changed,
    report: (report) => reporter.tell(() => api.report(report)),
    follow(agent, relay) {
      running = { agent, relay, timer: setInterval(() => changed(null), statusIntervalMs) };
      directory.open(agent);
      changed(null);
      for (const vsiId of agent.entries.keys()) changed(vsiId);
    },
    async close() {
      clearInterval(running?.timer);
      directory.close();
      await reporter.close();
      api.close();
    },
  };
}
