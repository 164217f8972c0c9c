import { fingerprint, hmacKey, type HmacKey } from './hmac.ts';

/** A secret that a station and the bridges share. */
export interface SigningKey {
  readonly hmac: HmacKey;
  /** the key's name in files and messages */
  readonly fingerprint: string;
}

/** In octets. */
export const keyLength = 32;

export function signingKey(octets: Uint8Array): SigningKey {
  return { hmac: hmacKey(octets), fingerprint: fingerprint(octets) };
}
