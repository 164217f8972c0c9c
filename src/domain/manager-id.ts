import { Invalid } from '../base/invalid.ts';

/**
 * A VSI manager identifier: 16 octets on the wire, left aligned, filled with zeros (802.1Q clause 41.1).
 * As text: the characters themselves where all are printable and without blanks or slashes ("mgr1"), otherwise
 * "0x" and the hexadecimal octets without trailing zero octets (libvirt's managerid 12 is "0x0c").
 */
export type ManagerId = string & { readonly __brand: 'ManagerId' };

const length = 16;

/** @throws Invalid unless `value` is 1 to 16 printable characters or "0x" and up to 32 hexadecimal digits. */
export function parseManagerId(value: string): ManagerId {
  const hex = /^0x((?:[0-9a-f]{2}){1,16})$/i.exec(value);
  if (hex) return managerIdFromBytes(Uint8Array.from(hex[1]!.match(/../g)!, (h) => Number.parseInt(h, 16)));
  if (!/^[!-.0-~]{1,16}$/.test(value) || /^0x/i.test(value))
    throw new Invalid(
      `"${value}" is not a manager id; 1 to 16 characters like "dc1" or octets like "0x0c" are`,
    );
  return value as ManagerId;
}

/** Reads up to 16 octets. */
export function managerIdFromBytes(bytes: Uint8Array): ManagerId {
  let end = Math.min(bytes.length, length);
  while (end > 1 && bytes[end - 1] === 0) end--;
  const octets = bytes.subarray(0, end);
  const asText = String.fromCharCode(...octets);
  if (/^[!-.0-~]+$/.test(asText) && !/^0x/i.test(asText)) return asText as ManagerId;
  return `0x${Array.from(octets, (o) => o.toString(16).padStart(2, '0')).join('')}` as ManagerId;
}

/** 16 octets, left aligned, filled with zeros. */
export function managerIdToBytes(id: ManagerId): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(length);
  if (id.startsWith('0x'))
    bytes.set(Uint8Array.from(id.slice(2).match(/../g)!, (h) => Number.parseInt(h, 16)));
  else bytes.set(Uint8Array.from(id, (c) => c.charCodeAt(0)));
  return bytes;
}
