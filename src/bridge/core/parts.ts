import type { MigrationReport, Timestamp } from '../../domain/migration.ts';
import type { Clock } from '../../base/clock.ts';
import type { MacAddress } from '../../domain/mac-address.ts';
import type { VsiId } from '../../domain/vsi-id.ts';
import type { SecondStationPolicy } from '../../protocol/neighbourhood.ts';
import type { EvbParameters } from '../../protocol/evb/parameters.ts';
import type { ManagementAddress } from '../../protocol/lldp/packet.ts';
import type { VdpLimits } from '../../protocol/vdp/limits.ts';
import type { Hold } from '../../protocol/vdp/hold.ts';
import type { PortEgress, PortName, Relay, RelayPort } from '../../relay/contract/relay.ts';
import type { Heed } from './announcements.ts';
import type { Directory } from './directory.ts';
import type { Host } from './host-vsi.ts';
import type { PortLink } from './port-link.ts';
import type { Signing } from './signing.ts';
import type { Stations } from './stations.ts';

/** A station port's link: its own address, and where frames go. */
export interface StationLink {
  readonly name: PortName;
  /** undefined: it has no interface yet */
  readonly mac: MacAddress | undefined;
  /** how frames leave by it */
  readonly egress: PortEgress;
  /** the default is "ignore" */
  readonly secondStation?: SecondStationPolicy;
  readonly send: (frame: Uint8Array) => void;
  /** the host's own traffic */
  readonly host?: Host | undefined;
  /** hands over to the agent what waits to be read; absent: nothing ever does */
  readonly drain?: () => void;
  /** of VSIs whose keep-alives are lost; absent: `defaultHold` */
  readonly hold?: Hold;
  /** absent: by what the station there is (see Announcements) */
  readonly announcements?: Heed | undefined;
  /** how long the port waits for a station that is not heard, in ms */
  readonly placeHold?: number;
}

/** The ports, as the administrator has them. */
export interface PortSettings {
  readonly links: readonly StationLink[];
  /** network and mirror ports, which have no protocol */
  readonly otherPorts: ReadonlyMap<PortName, RelayPort>;
  /** of learned addresses, in s */
  readonly ageingTime: number;
}

/** With the ports to begin with. */
export interface BridgeAgentParts extends PortSettings {
  readonly name: string;
  readonly evb: EvbParameters;
  readonly limits: VdpLimits;
  /** how many are remembered at a port who speak LLDP without being its station; the default is 8 */
  readonly otherNeighbours?: number;
  /** as LLDP tells them; the default is each port's own address */
  readonly managementAddresses?: readonly ManagementAddress[];
  /** of ECP, by chance: a station must not take this agent's first ECPDU for its predecessor's last */
  readonly firstSequence: number;
  /** how any port's link is when the agent starts */
  readonly linkOf: (port: PortName) => PortLink;
  readonly relay: Relay;
  readonly directory: Directory;
  /** frames in a second that tell the network of moves; the default is 500 */
  readonly announcementsPerSecond?: number;
  /** who was met before; absent: nobody */
  readonly stations?: Stations;
  /** absent: no control frame is signed or verified */
  readonly signing?: Signing;
  readonly clock: Clock;
  readonly timestamp: () => Timestamp;
  /** a moment of the data plane's clock (ns, CLOCK_MONOTONIC) as a time stamp */
  readonly stampOf: (monotonic: bigint) => Timestamp;
  readonly report: (report: MigrationReport) => void;
  /** a VSI's association changed, or a port's state did */
  readonly changed: (vsiId: VsiId | null) => void;
  readonly log: (level: 'info' | 'warn', message: string, facts?: object) => void;
}
