import { LabError } from './lab-error.ts';
import { answers } from '../local/socket-path.ts';
import type { Strategy } from '../domain/migration.ts';
import type { MigrationRun } from './migrate.ts';
import { labName, labSocket } from './place.ts';
import type { HostName } from './scenario.ts';
import type { LabVm } from './vm.ts';

export type VmKind = 'netns' | 'qemu';

export interface LabOptions {
  /** tells this lab's namespaces, links and files from another's: 1 to 6 small letters and digits */
  readonly id: string;
  readonly vms: VmKind;
  /** where the manager listens for people: "127.0.0.1:7470"; port 0 takes any */
  readonly listen: string;
  /** called with a line for each step that takes time */
  readonly progress: (line: string) => void;
}

export interface LabStatus {
  readonly kind: 'kernel' | 'simulated';
  readonly vmKind: VmKind | 'simulated';
  readonly manager: string;
  readonly processes: readonly { readonly name: string; readonly pid: number | null }[];
  /** agents and VMs that ended though nobody stopped them, and how: "sw (SIGKILL)", "VM a (exit 1)" */
  readonly ended: readonly string[];
  readonly vms: readonly {
    readonly name: string;
    readonly tenant: string;
    readonly mac: string;
    readonly address: string;
    readonly vlan: number;
    readonly host: HostName | null;
  }[];
}

/** What the status says of one VM. */
export function vmStatus({ plan, host }: Pick<LabVm, 'plan' | 'host'>): LabStatus['vms'][number] {
  const { name, tenant, mac, address, profile } = plan;
  return { name, tenant, mac, address, vlan: profile.vlan, host };
}

/** What is to be said of a lab of which not all runs. */
export function endedText(ended: readonly string[]): string {
  return `${ended.join(', ')} ended though nobody stopped it; "hairpin lab down" and "lab up" make the lab anew`;
}

/** A laboratory: a switch, two hosts, three VMs of two tenants, and the agents that look after them. */
export interface Lab {
  /** @throws an Error when it cannot; nothing of it is left then */
  up(): Promise<void>;
  /** Removes all of it. */
  down(): Promise<void>;
  status(): LabStatus;
  /**
   * @param silent the VM only receives, from before its stop until it was measured
   * @throws Invalid for a VM or a host that does not exist, or a VM that is there already
   */
  migrate(vm: string, to: string, strategy: Strategy, silent?: boolean): Promise<MigrationRun>;
}

/** @throws LabError if a lab of that name is up */
export async function refuseIfUp(id: string): Promise<void> {
  if (await answers(labSocket(id)))
    throw new LabError(
      `${labName(id)} is up already; "hairpin lab down" ends it, and "--id NAME --listen 127.0.0.1:0" makes another`,
    );
}
