import type { BridgeAgent } from '../core/agent.ts';
import type { BridgeConfig } from '../config/config.ts';
import { FileDirectory } from './file-directory.ts';
import type { Source } from './source.ts';

type Written = Pick<BridgeConfig, 'tenants' | 'profiles' | 'vsis'>;

/** A bridge without a manager, whose configuration file says all there is to know. */
export function standalone({ tenants, profiles = [], vsis = [] }: Written): Source {
  const directory = new FileDirectory(profiles, vsis);
  let running: BridgeAgent | null = null;
  return {
    directory,
    report() {},
    changed() {},
    follow(agent) {
      running = agent;
      tell(agent, { tenants, profiles, vsis });
    },
    reload(written) {
      directory.replace(written.profiles ?? [], written.vsis ?? []);
      if (running) tell(running, written);
    },
    close: () => Promise.resolve(),
  };
}

function tell(agent: BridgeAgent, { tenants = [], profiles = [], vsis = [] }: Written): void {
  agent.tenantsChanged(new Map(tenants.map((tenant) => [tenant.name, tenant])));
  for (const profile of profiles) agent.profileChanged(profile);
  for (const { vsiId, ips = [] } of vsis) agent.ipsChanged(vsiId, ips);
  agent.listed();
}
