import { macToBytes, type MacAddress } from '../domain/mac-address.ts';
import { cdcpOui, cdcpSubtype, encodeCdcpTlv, type CdcpTlv } from './evb/cdcp.ts';
import type { EvbRole } from './evb/ratified.ts';
import { capabilityBits } from './lldp/capabilities.ts';
import { managementMac } from './lldp/management.ts';
import { organizational } from './lldp/organizational.ts';
import { portIdentity, type PortIdentity } from './signed/identity.ts';
import { encodeLldpdu, type LldpTlv, type ManagementAddress } from './lldp/packet.ts';

/** By this a Hairpin knows another. */
export const ownSystemDescription = 'Hairpin';

/** What LLDP tells the neighbour of this end. */
export interface Identity {
  /** source of the frames sent */
  readonly mac: MacAddress;
  readonly systemName: string;
  /** the default is `ownSystemDescription` */
  readonly systemDescription?: string;
  /** the interface's name: the port id that the neighbour sees */
  readonly portId: string;
  /** where this system is managed; the default is `mac` (802.1AB 8.5.9) */
  readonly managementAddresses?: readonly ManagementAddress[];
}

/** 802.1AB tables 8-2 and 8-3: chassis id by MAC address, port id by interface name. */
const subtypes = { macAddress: 4, interfaceName: 5 };

/** The optional TLVs; `evb`: those of EVB. */
export function announcedTlvs(
  role: EvbRole,
  {
    mac,
    systemName,
    systemDescription = ownSystemDescription,
    managementAddresses = [managementMac(mac)],
  }: Identity,
  evb: readonly LldpTlv[],
  channels: CdcpTlv | null,
): LldpTlv[] {
  const does = capabilityBits(role === 'bridge' ? 'bridge' : 'station only');
  return [
    { kind: 'system name', text: systemName },
    { kind: 'system description', text: systemDescription },
    { kind: 'system capabilities', system: does, enabled: does },
    ...managementAddresses,
    ...evb,
    ...(channels ? [organizational(cdcpOui, cdcpSubtype, encodeCdcpTlv(channels))] : []),
  ];
}

/** What LLDP calls this end. */
export function ownIdentity({ mac, portId }: Pick<Identity, 'mac' | 'portId'>): PortIdentity {
  return portIdentity(identifiers({ mac, portId }));
}

function identifiers({ mac, portId }: Pick<Identity, 'mac' | 'portId'>) {
  return {
    chassisId: { subtype: subtypes.macAddress, id: macToBytes(mac) },
    portId: { subtype: subtypes.interfaceName, id: new TextEncoder().encode(portId) },
  };
}

/** The LLDPDU; with TTL 0, which is the last word, it has no optional TLVs. */
export function announcement(identity: Identity, ttl: number, tlvs: readonly LldpTlv[]): Uint8Array {
  return encodeLldpdu({
    ...identifiers(identity),
    ttl,
    tlvs: ttl === 0 ? [] : tlvs,
  });
}
