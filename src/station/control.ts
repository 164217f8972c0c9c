import { z } from 'zod';
import { explainIssues } from '../forms/explain.ts';
import { serveLocal } from '../local/socket-server.ts';
import { LocalSocketError } from '../local/socket-path.ts';
import * as form from '../forms/fields.ts';
import { strict } from '../forms/strict.ts';
import { Invalid } from '../base/invalid.ts';
import { hypervisorEventKinds } from '../hypervisors/event.ts';
import type { StationAgent } from './agent.ts';
import type { VmFilterStatus } from './vm-filter.ts';

const announcement = strict({
  event: z.enum(hypervisorEventKinds),
  vm: z.string().min(1).max(255),
  macs: z.array(form.mac).min(1).max(64),
  at: z.int().nonnegative().optional(),
});

/**
 * The station's local control socket, for a toolstack that the station cannot watch: `POST /announce` with
 * {"event": "incoming", "vm": "web1", "macs": ["52:54:…"]}; the answer, {"granted": true} or {"granted": false,
 * "reason"}, comes when the bridge's has. `POST /state` tells what the station holds, `POST /filter` where it drops
 * VMs' control frames; `POST /unpin` lets it believe an unsigned bridge again.
 */
export function serveControl(
  path: string,
  agent: StationAgent,
  filter: () => Promise<VmFilterStatus>,
  now: () => number,
) {
  return serveLocal(path, {
    announce: async (body) => {
      const parsed = announcement.safeParse(body);
      if (!parsed.success) throw new Invalid(explainIssues('announce', parsed.error, body).join('; '));
      const { event, vm, macs, at } = parsed.data;
      const outcome = await agent.happened({ kind: event, vm, macs, at: at ?? now() });
      if (!outcome.granted && outcome.unknown)
        throw new LocalSocketError(`${event}: ${outcome.reason}; "started" or "incoming" makes a VM known`);
      return outcome;
    },
    unpin: () => {
      agent.unpin();
      return Promise.resolve({ done: true });
    },
    state: () => Promise.resolve(agent.state()),
    filter,
  });
}
