import { bigEndian, concat, u16, u24, u32 } from '../../base/octets.ts';
import { malformed, ok, type Result } from '../../base/result.ts';
import { decodeTlvs, encodeTlvs, type Tlv } from '../tlv.ts';

/*
 * +----------------+----------------+----------------+-----------------+-----+---------+
 * | Chassis ID (1) | Port ID (2)    | TTL (3)        | optional TLVs   |  …  | End (0) |
 * | subtype, id    | subtype, id    | seconds (16)   |                 |     |         |
 * +----------------+----------------+----------------+-----------------+-----+---------+
 * organizationally specific (127): | OUI (24) | subtype (8) | information, 0 … 507 |
 * system capabilities (7): | what it has (16) | what is enabled (16) |
 * management address (8): | length (8) | subtype (8) | address, 1 … 31 | interface subtype (8) | number (32) | length (8) | OID |
 */

/** An LLDP data unit (802.1AB clause 8). */
export interface Lldpdu {
  readonly chassisId: Identifier;
  readonly portId: Identifier;
  /** seconds for which this holds; 0: the sender leaves */
  readonly ttl: number;
  readonly tlvs: readonly LldpTlv[];
}

/** Subtype 4 of a chassis id and 3 of a port id is a MAC address, 7 of either is text that means something locally. */
export interface Identifier {
  /** 802.1AB tables 8-2 and 8-3 */
  readonly subtype: number;
  /** 1 to 255 octets */
  readonly id: Uint8Array;
}

export type LldpTlv =
  | { readonly kind: 'port description' | 'system name' | 'system description'; readonly text: string }
  /** bits as in `capabilityNames` */
  | { readonly kind: 'system capabilities'; readonly system: number; readonly enabled: number }
  | ManagementAddress
  | {
      readonly kind: 'organizational';
      /** 24 bits */
      readonly oui: number;
      readonly subtype: number;
      readonly info: Uint8Array;
    }
  /** carried as it is */
  | { readonly kind: 'other'; readonly type: number; readonly info: Uint8Array };

/** 802.1AB 8.5.9 */
export interface ManagementAddress {
  readonly kind: 'management address';
  /** IANA address family number: 1 IPv4, 2 IPv6, 6 a MAC address */
  readonly subtype: number;
  /** 1 to 31 octets */
  readonly address: Uint8Array;
  /** 1 unknown, 2 ifIndex, 3 system port number */
  readonly interfaceSubtype: number;
  /** 32 bits */
  readonly interfaceNumber: number;
  /** 0 to 128 octets, ASN.1 */
  readonly objectId: Uint8Array;
}

const types = {
  chassisId: 1,
  portId: 2,
  ttl: 3,
  capabilities: 7,
  managementAddress: 8,
  organizational: 127,
} as const;
const firstText = 4;
const textTypes = ['port description', 'system name', 'system description'] as const;
const longestText = 255;

/** Takes the payload of a frame of type 0x88cc. */
export function decodeLldpdu(bytes: Uint8Array): Result<Lldpdu> {
  const tlvs = decodeTlvs(bytes);
  if (!tlvs.ok) return malformed('LLDPDU', tlvs.error.message);
  const [chassis, port, ttl, ...rest] = tlvs.value;
  const chassisId = decodeIdentifier(chassis, types.chassisId);
  const portId = decodeIdentifier(port, types.portId);
  if (!chassisId || !portId || ttl?.type !== types.ttl || ttl.info.length < 2)
    return malformed('LLDPDU', 'does not begin with a chassis id, a port id and a TTL');
  if (rest.some(({ type }) => type <= types.ttl))
    return malformed('LLDPDU', 'has a second chassis id, port id or TTL');
  return ok({ chassisId, portId, ttl: u16(ttl.info, 0), tlvs: rest.map(decodeOptional) });
}

export function encodeLldpdu(lldpdu: Lldpdu): Uint8Array<ArrayBuffer> {
  return encodeTlvs([
    { type: types.chassisId, info: encodeIdentifier(lldpdu.chassisId) },
    { type: types.portId, info: encodeIdentifier(lldpdu.portId) },
    { type: types.ttl, info: Uint8Array.from(bigEndian(lldpdu.ttl, 2)) },
    ...lldpdu.tlvs.map(encodeOptional),
  ]);
}

/** The optional TLVs alone. */
export function encodeLldpTlvs(tlvs: readonly LldpTlv[]): Uint8Array<ArrayBuffer> {
  return encodeTlvs(tlvs.map(encodeOptional));
}

function decodeIdentifier(tlv: Tlv | undefined, type: number): Identifier | null {
  if (tlv?.type !== type || tlv.info.length < 2 || tlv.info.length > 256) return null;
  return { subtype: tlv.info[0]!, id: tlv.info.subarray(1) };
}

function encodeIdentifier({ subtype, id }: Identifier): Uint8Array {
  return concat([Uint8Array.of(subtype), id]);
}

function decodeOptional({ type, info }: Tlv): LldpTlv {
  const kind = textTypes[type - firstText];
  if (kind) return { kind, text: new TextDecoder().decode(info) };
  if (type === types.organizational && info.length >= 4)
    return { kind: 'organizational', oui: u24(info, 0), subtype: info[3]!, info: info.subarray(4) };
  if (type === types.capabilities && info.length === 4)
    return { kind: 'system capabilities', system: u16(info, 0), enabled: u16(info, 2) };
  if (type === types.managementAddress) {
    const decoded = decodeManagementAddress(info);
    if (decoded) return decoded;
  }
  return { kind: 'other', type, info };
}

function encodeOptional(tlv: LldpTlv): Tlv {
  if (tlv.kind === 'other') return { type: tlv.type, info: tlv.info };
  if (tlv.kind === 'system capabilities')
    return {
      type: types.capabilities,
      info: Uint8Array.from([...bigEndian(tlv.system, 2), ...bigEndian(tlv.enabled, 2)]),
    };
  if (tlv.kind === 'management address')
    return { type: types.managementAddress, info: encodeManagementAddress(tlv) };
  if (tlv.kind === 'organizational')
    return {
      type: types.organizational,
      info: concat([Uint8Array.from([...bigEndian(tlv.oui, 3), tlv.subtype]), tlv.info]),
    };
  return { type: textTypes.indexOf(tlv.kind) + firstText, info: encodeText(tlv.text) };
}

/** Null where its lengths do not fit together: it is carried as it is then. */
function decodeManagementAddress(info: Uint8Array): ManagementAddress | null {
  const addressEnd = 1 + (info[0] ?? 0);
  const objectId = addressEnd + 6;
  if (addressEnd < 3 || addressEnd > 33 || info.length < objectId) return null;
  const objectIdLength = info[objectId - 1]!;
  if (objectIdLength > 128 || info.length !== objectId + objectIdLength) return null;
  return {
    kind: 'management address',
    subtype: info[1]!,
    address: info.subarray(2, addressEnd),
    interfaceSubtype: info[addressEnd]!,
    interfaceNumber: u32(info, addressEnd + 1),
    objectId: info.subarray(objectId),
  };
}

function encodeManagementAddress(tlv: ManagementAddress): Uint8Array {
  return concat([
    Uint8Array.of(1 + tlv.address.length, tlv.subtype),
    tlv.address,
    Uint8Array.from([tlv.interfaceSubtype, ...bigEndian(tlv.interfaceNumber, 4), tlv.objectId.length]),
    tlv.objectId,
  ]);
}

/** Cuts at 255 octets without splitting a character. */
function encodeText(text: string): Uint8Array {
  const octets = new Uint8Array(longestText);
  return octets.subarray(0, new TextEncoder().encodeInto(text, octets).written);
}
