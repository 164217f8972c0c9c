/** Big-endian integers at `offset`; the caller has checked the length. */
export function u16(bytes: Uint8Array, offset: number): number {
  return (bytes[offset]! << 8) | bytes[offset + 1]!;
}

export function u24(bytes: Uint8Array, offset: number): number {
  return (u16(bytes, offset) << 8) | bytes[offset + 2]!;
}

export function u32(bytes: Uint8Array, offset: number): number {
  return u16(bytes, offset) * 0x10000 + u16(bytes, offset + 2);
}

/** `value` of at most 32 bits as `length` octets, big endian. */
export function bigEndian(value: number, length: number): number[] {
  const octets: number[] = [];
  for (let shift = 8 * (length - 1); shift >= 0; shift -= 8) octets.push((value >>> shift) & 0xff);
  return octets;
}

export function concat(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    whole.set(part, offset);
    offset += part.length;
  }
  return whole;
}

export function equal(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((octet, i) => octet === b[i]);
}

/** "0x" and two digits for each octet. */
export function hex(octets: Uint8Array): string {
  return `0x${Array.from(octets, (octet) => octet.toString(16).padStart(2, '0')).join('')}`;
}
