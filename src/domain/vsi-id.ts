import { Invalid } from '../base/invalid.ts';

/** A VSIID of format UUID (802.1Q table 41-6, format 5), in canonical lower-case text with hyphens. */
export type VsiId = string & { readonly __brand: 'VsiId' };

const text = /^[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}$/i;

/** @throws Invalid unless `value` is a UUID, with or without hyphens. */
export function parseVsiId(value: string): VsiId {
  if (!text.test(value))
    throw new Invalid(`"${value}" is not a VSIID; a UUID like fa9b7fff-b0a0-4893-8e0e-beef4ff18f8f is`);
  return hyphenate(value.replaceAll('-', '').toLowerCase());
}

/** Reads 16 octets at `offset`; the caller has checked the length. */
export function vsiIdFromBytes(bytes: Uint8Array, offset = 0): VsiId {
  let hex = '';
  for (let i = 0; i < 16; i++) hex += bytes[offset + i]!.toString(16).padStart(2, '0');
  return hyphenate(hex);
}

/** 16 octets, network order. */
export function vsiIdToBytes(id: VsiId): Uint8Array<ArrayBuffer> {
  const hex = id.replaceAll('-', '');
  return Uint8Array.from({ length: 16 }, (_, i) => Number.parseInt(hex.slice(2 * i, 2 * i + 2), 16));
}

function hyphenate(hex: string): VsiId {
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join(
    '-',
  ) as VsiId;
}
