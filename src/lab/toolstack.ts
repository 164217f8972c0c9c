import type { ApiClient } from '../client/client.ts';
import type { Timestamp } from '../domain/migration.ts';
import type { HypervisorEvent } from '../hypervisors/event.ts';
import type { Outcome } from '../station/asking.ts';
import type { HostName } from './scenario.ts';

/** What the agents of a lab offer to a toolstack. */
export interface Toolstack {
  readonly api: ApiClient;
  /** Tells a host's station of an event; resolves with the bridge's answer. */
  announce(host: HostName, event: HypervisorEvent): Promise<Outcome>;
  timestamp(): Timestamp;
}
