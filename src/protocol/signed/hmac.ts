// Of node:crypto only what is a function of octets: no chance, no clock. The rooms' test holds this file to it.
import { createHash, createHmac, createSecretKey, timingSafeEqual, type KeyObject } from 'node:crypto';

/** In octets: HMAC-SHA-256 cut to half its length. */
export const macLength = 16;

/** A key made ready: from octets it would be made ready for each frame, which takes longer than the HMAC itself. */
export type HmacKey = KeyObject;

export function hmacKey(octets: Uint8Array): HmacKey {
  return createSecretKey(octets);
}

export function hmac(key: HmacKey, ...parts: readonly Uint8Array[]): Uint8Array {
  const mac = createHmac('sha256', key);
  for (const part of parts) mac.update(part);
  return mac.digest().subarray(0, macLength);
}

/** In a time that does not tell where the two differ. */
export function sameMac(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && timingSafeEqual(a, b);
}

/** A key's name: 16 hexadecimal digits that do not give the key away. */
export function fingerprint(key: Uint8Array): string {
  return createHash('sha256').update('hairpin key name').update(key).digest('hex').slice(0, 16);
}
