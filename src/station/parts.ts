import type { MigrationReport, Timestamp } from '../domain/migration.ts';
import type { Clock } from '../base/clock.ts';
import type { MacAddress } from '../domain/mac-address.ts';
import type { ProfileRef } from '../domain/profile-ref.ts';
import type { VsiId } from '../domain/vsi-id.ts';
import type { EvbParameters } from '../protocol/evb/parameters.ts';
import type { ManagementAddress } from '../protocol/lldp/packet.ts';
import type { SigningOptions } from '../protocol/signed/control.ts';
import type { VerifiedKey } from '../protocol/signed/counters.ts';

/** One VSI as the station tells the bridge of it. */
export interface StationVsi {
  readonly vsiId: VsiId;
  /** at least one */
  readonly macs: readonly MacAddress[];
  readonly profile: ProfileRef;
}

/** A VM that runs here, and what was last known to belong to it. */
export interface RunningVm {
  readonly vm: string;
  readonly macs: readonly MacAddress[];
  readonly vsis: readonly StationVsi[];
}

/** The VMs' interfaces on this host, which a station may set up before their VMs run there. */
export interface Taps {
  /** Whether frames for these addresses wait for the VM: its interfaces are up, or it has none that the station knows. */
  ready(macs: readonly MacAddress[]): boolean;
  /** Their VM is on its way: their interfaces are set up now, or as soon as they are there. */
  prepare(macs: readonly MacAddress[]): void;
  /** Their VM runs here: what was set up stays so. */
  keep(macs: readonly MacAddress[]): void;
  /** Their VM will not come: what was set up for it is taken back. */
  undo(macs: readonly MacAddress[]): void;
}

/** The shell hands these to the station agent. */
export interface StationAgentParts {
  readonly name: string;
  readonly evb: EvbParameters;
  /** of ECP, by chance: the bridge must not take this agent's first ECPDU for its predecessor's last */
  readonly firstSequence: number;
  /** absent: no control frame is signed or verified */
  readonly signing?: SigningOptions;
  /** what was verified of the bridge has changed; the next agent wants to know it */
  readonly rememberBridge?: (verified: readonly VerifiedKey[]) => void;
  /** as LLDP tells them; the default is the uplink's own address */
  readonly managementAddresses?: readonly ManagementAddress[];
  readonly uplink: {
    readonly name: string;
    readonly mac: MacAddress;
    readonly send: (frame: Uint8Array) => void;
  };
  readonly clock: Clock;
  readonly timestamp: () => Timestamp;
  /** the VSIs with these addresses; resolves to fewer where some are nobody's */
  readonly vsisOf: (macs: readonly MacAddress[]) => Promise<readonly StationVsi[]> | readonly StationVsi[];
  readonly report: (report: MigrationReport) => void;
  /** absent: VMs' interfaces are not this agent's affair */
  readonly taps?: Taps;
  /** the VMs that run here have changed; the next agent wants to know them */
  readonly remember: (running: readonly RunningVm[]) => void;
  readonly log: (level: 'info' | 'warn', message: string) => void;
}
