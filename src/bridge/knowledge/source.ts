import type { MigrationReport } from '../../domain/migration.ts';
import type { VsiId } from '../../domain/vsi-id.ts';
import type { Relay } from '../../relay/contract/relay.ts';
import type { BridgeAgent } from '../core/agent.ts';
import type { BridgeConfig } from '../config/config.ts';
import type { Directory } from '../core/directory.ts';

/** Where a bridge's knowledge of profiles and VSIs comes from, and where its news goes. */
export interface Source {
  readonly directory: Directory;
  report(report: MigrationReport): void;
  /** A VSI's association changed; null: a port's state did. */
  changed(vsiId: VsiId | null): void;
  /** The agent has adopted what the data plane holds: it is told what of that has changed, now and from now on. */
  follow(agent: BridgeAgent, relay: Relay): void;
  /** The bridge's file was read again. Absent: the file says nothing that this source takes from it. */
  reload?(config: Pick<BridgeConfig, 'tenants' | 'profiles' | 'vsis'>): void;
  close(): Promise<void>;
}
