import type { Association } from './association.ts';
import type { MacAddress } from './mac-address.ts';
import type { Timestamp } from './migration.ts';
import type { ProfileKey } from './profile-ref.ts';
import type { VsiId } from './vsi-id.ts';

/** What the administrator says of one VM NIC, and thereby all that the bridges may grant it. */
export interface VsiSpec {
  readonly vsiId: VsiId;
  /** the VM's name */
  readonly name: string;
  readonly tenant: string;
  /** at least one; each is unique within the profile's VLAN */
  readonly macs: readonly MacAddress[];
  /** its IPv4 and IPv6 addresses, in canonical text, for profiles that guard them; absent: none are known */
  readonly ips?: readonly string[];
  readonly profile: ProfileKey;
  /** stations it may appear at, by system name; absent: any */
  readonly hosts?: readonly string[];
}

/** Where a VSI is, as the bridges say. */
export interface VsiStatus {
  /** "none" in a report says that the VSI has left that port */
  readonly association: Association;
  readonly bridge: string;
  readonly port: string;
  /** the station's system name by LLDP; null if it gave none */
  readonly station: string | null;
  readonly at: Timestamp;
  /** since when the bridge holds it without its station's keep-alives; absent: they come in time */
  readonly held?: Timestamp;
}

export interface Vsi extends VsiSpec {
  /** null: it is associated nowhere */
  readonly status: VsiStatus | null;
}

/** What the manager's database grants a VSI. */
export interface Grant {
  readonly vsiId: VsiId;
  /** the VM's, for people */
  readonly name?: string | undefined;
  readonly macs: readonly MacAddress[];
  /** its IPv4 and IPv6 addresses, in canonical text; absent: none are known */
  readonly ips?: readonly string[] | undefined;
  readonly profile: ProfileKey;
  /** the stations it may appear at; absent: any */
  readonly hosts?: readonly string[] | undefined;
}
