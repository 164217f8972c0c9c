import { fingerprint } from './hmac.ts';

/** A secret that a station and the bridges share. */
export interface SigningKey {
  readonly octets: Uint8Array;
  /** the key's name in files and messages */
  readonly fingerprint: string;
}

/** In octets. */
export const keyLength = 32;

export function signingKey(octets: Uint8Array): SigningKey {
  return { octets, fingerprint: fingerprint(octets) };
}
