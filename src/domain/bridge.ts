import type { Timestamp } from './migration.ts';

export type Json = string | number | boolean | null | Json[] | { [key: string]: Json };

/** One port as its bridge reports it; `evb`, `neighbour`, `counters` and what else there is are for people to read. */
export interface BridgePortStatus {
  readonly name: string;
  readonly kind: 'station' | 'network' | 'mirror';
  readonly [detail: string]: Json;
}

/** What a bridge agent says of itself. */
export interface Bridge {
  readonly name: string;
  readonly ports: readonly BridgePortStatus[];
  /** what the administrator changed and its data plane cannot do: what was before is in force */
  readonly refused?: readonly { readonly what: string; readonly reason: string }[];
  readonly at: Timestamp;
}
