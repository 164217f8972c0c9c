/** Why octets from the wire were not taken: the unit they claimed to be, and one line that says what was wrong. */
export interface DecodeError {
  readonly unit: 'frame' | 'TLV' | 'LLDPDU' | 'EVB TLV' | 'CDCP TLV' | 'ECPDU' | 'VDPDU';
  readonly message: string;
}

/** Decoders return it and never throw. */
export type Result<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly error: DecodeError };

export function ok<T>(value: T): Result<T> {
  return { ok: true, value };
}

export function malformed(unit: DecodeError['unit'], message: string): Result<never> {
  return { ok: false, error: { unit, message } };
}
