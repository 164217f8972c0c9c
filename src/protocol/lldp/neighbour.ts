import { macFromBytes, type MacAddress } from '../../domain/mac-address.ts';
import type { Identifier, Lldpdu } from './packet.ts';

/** Who is at the other end of the link, by its last LLDPDU. */
export interface Neighbour {
  /** source address of its frames */
  readonly mac: MacAddress;
  /** a MAC address, or text where it is printable, or "0x" and hexadecimal octets */
  readonly chassisId: string;
  readonly portId: string;
  readonly systemName: string | null;
}

const macSubtypes = { chassisId: 4, portId: 3 };

export function neighbourFrom(mac: MacAddress, lldpdu: Lldpdu): Neighbour {
  const names = lldpdu.tlvs.flatMap((tlv) => (tlv.kind === 'system name' ? [tlv.text] : []));
  return {
    mac,
    chassisId: identifierText(lldpdu.chassisId, macSubtypes.chassisId),
    portId: identifierText(lldpdu.portId, macSubtypes.portId),
    systemName: names[0] ?? null,
  };
}

export function sameNeighbour(a: Neighbour, b: Neighbour): boolean {
  return (
    a.mac === b.mac && a.chassisId === b.chassisId && a.portId === b.portId && a.systemName === b.systemName
  );
}

function identifierText({ subtype, id }: Identifier, macSubtype: number): string {
  if (subtype === macSubtype && id.length === 6) return macFromBytes(id);
  if (id.every((octet) => octet >= 0x20 && octet < 0x7f)) return String.fromCharCode(...id);
  return `0x${Array.from(id, (octet) => octet.toString(16).padStart(2, '0')).join('')}`;
}
