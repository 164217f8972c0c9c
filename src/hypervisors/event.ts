import type { MacAddress } from '../domain/mac-address.ts';
import type { Timestamp } from '../domain/migration.ts';

/**
 * What a hypervisor says about one VM on this host, whatever the hypervisor; every watcher emits only these.
 *
 * A start: `started`, …, `gone`. A migration, at the destination: `incoming`, `arrived`, `resumed`; at the source:
 * `stopped`, `left`, `gone`. One that fails, at the source: `aborted`, or `stopped` and then `aborted`, `resumed` in any order.
 */
export const hypervisorEventKinds = [
  /** It runs here: it was started here, or the watcher found it here when it came. */
  'started',
  /** Destination: a migration towards this host begins; the VM runs elsewhere for now. */
  'incoming',
  /** Destination: it will run here next. Its memory is complete, or it has stopped at the source for the last of it. */
  'arrived',
  /** It runs here from now on; also at a source that takes back a VM after a failed switch-over. */
  'resumed',
  /** Source: stopped for the switch-over, and for nothing else: a VM that somebody pauses, an I/O error, a snapshot are none. */
  'stopped',
  /** Source: the VM is elsewhere, and will not go on here. */
  'left',
  /** The migration failed or was cancelled. Source: the VM goes on here. Destination: it will not come. */
  'aborted',
  /** It has other NICs than before, plugged in or out while it runs: `macs` are all that it has now. */
  'nics',
  /** The VM's process ended. */
  'gone',
] as const;
export type HypervisorEventKind = (typeof hypervisorEventKinds)[number];

export interface HypervisorEvent {
  readonly kind: HypervisorEventKind;
  /** the VM's name as the hypervisor has it */
  readonly vm: string;
  /**
   * Which of the host's processes this is about: two may have one VM's name for a while, as when a second attempt begins
   * beside the first one's clean-up. Absent: from a toolstack, which knows the VM by its name alone.
   */
  readonly process?: string;
  /** of its NICs, in the hypervisor's order; empty if it has none */
  readonly macs: readonly MacAddress[];
  /** when it happened, by the hypervisor's clock where it tells, otherwise when the watcher learned of it */
  readonly at: Timestamp;
}

/** A source of events, until closed. */
export interface HypervisorWatcher {
  close(): void;
}
