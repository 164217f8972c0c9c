import { macFromBytes, type MacAddress } from '../../domain/mac-address.ts';
import { cleanText } from '../../domain/system-name.ts';
import { capabilitiesOf, type Capability } from './capabilities.ts';
import { hex } from '../../base/octets.ts';
import { managementText } from './management.ts';
import type { Identifier, LldpTlv, Lldpdu } from './packet.ts';

/** Who is at the other end of the link, by its last LLDPDU; each text in one line, without control characters. */
export interface Neighbour {
  /** source address of its frames */
  readonly mac: MacAddress;
  /** a MAC address, or text where it is printable, or "0x" and hexadecimal octets */
  readonly chassisId: string;
  readonly portId: string;
  readonly systemName: string | null;
  readonly systemDescription: string | null;
  readonly portDescription: string | null;
  /** what it does, of what it could */
  readonly capabilities: readonly Capability[];
  /** IP addresses as text, a MAC address, or "0x" and hexadecimal octets */
  readonly managementAddresses: readonly string[];
}

const macSubtypes = { chassisId: 4, portId: 3 };

export function neighbourFrom(mac: MacAddress, { chassisId, portId, tlvs }: Lldpdu): Neighbour {
  return {
    mac,
    chassisId: identifierText(chassisId, macSubtypes.chassisId),
    portId: identifierText(portId, macSubtypes.portId),
    systemName: textOf(tlvs, 'system name'),
    systemDescription: textOf(tlvs, 'system description'),
    portDescription: textOf(tlvs, 'port description'),
    capabilities: tlvs.flatMap((tlv) =>
      tlv.kind === 'system capabilities' ? capabilitiesOf(tlv.enabled) : [],
    ),
    managementAddresses: tlvs.flatMap((tlv) =>
      tlv.kind === 'management address' ? [managementText(tlv)] : [],
    ),
  };
}

export function sameNeighbour(a: Neighbour, b: Neighbour): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

function textOf(
  tlvs: readonly LldpTlv[],
  kind: 'system name' | 'system description' | 'port description',
): string | null {
  for (const tlv of tlvs) if (tlv.kind === kind) return cleanText(tlv.text);
  return null;
}

function identifierText({ subtype, id }: Identifier, macSubtype: number): string {
  if (subtype === macSubtype && id.length === 6) return macFromBytes(id);
  if (id.every((octet) => octet >= 0x20 && octet < 0x7f)) return String.fromCharCode(...id);
  return hex(id);
}
