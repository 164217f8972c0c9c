import type { Timestamp } from '../domain/migration.ts';
import type { HostName, LabVmPlan } from './scenario.ts';

/** What the toolstack lets others do at the turning points of a live migration, as libvirt lets its hooks. */
export interface MigrationHooks {
  /** The destination exists and the migration begins; the VM runs at the source. */
  begins(): Promise<void>;
  /** Stopped at the source. */
  stopped(at: Timestamp): void;
  /** The memory is at the destination; the VM runs there as soon as this settles. */
  beforeResume(): Promise<void>;
  /** It runs at the destination. */
  resumed(at: Timestamp): void;
  /** It failed; the VM runs on at the source as soon as this settles. */
  aborted(): Promise<void>;
}

/** The VM's own stop. */
export interface Stop {
  readonly stoppedAt: Timestamp;
  readonly resumedAt: Timestamp;
}

/** How a VM moves. */
export interface Manner {
  /** nobody at the destination learns of it by its hypervisor until `reveal` */
  readonly unannounced: boolean;
  /** neither it nor its hypervisor announces it when it runs at the destination */
  readonly silent: boolean;
}

/** A virtual machine of the lab, whatever it is made of. */
export interface LabVm {
  readonly plan: LabVmPlan;
  /** the stations see its hypervisor's events themselves, and need not be told */
  readonly watched: boolean;
  /** null while it does not run */
  readonly host: HostName | null;
  /** how its process ended though nobody stopped it: "SIGKILL" */
  readonly ended: string | null;
  start(): Promise<void>;
  /** @throws an Error when it fails; the VM runs on at the source then */
  migrate(to: HostName, hooks: MigrationHooks, manner: Manner): Promise<Stop>;
  /** Tells the network where it is, as a guest or its hypervisor does after a migration. */
  announceItself(): void;
  /** Lets the destination's station see a VM that came unannounced, where it watches the hypervisor. */
  reveal(): void;
  /** Ends it and removes what it was made of. */
  stop(): Promise<void>;
}
