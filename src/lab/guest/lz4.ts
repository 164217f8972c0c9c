const legacyMagic = 0x184c2102;
const blockSize = 8 << 20;

/**
 * Unpacks an LZ4 stream in the legacy frame format, which is what `lz4 -l` and the kernel's build make: a magic
 * number, then blocks of 8 MiB (the last one less), each with its packed length in front (all little-endian).
 * Formats: https://github.com/lz4/lz4/blob/dev/doc/lz4_Frame_format.md and lz4_Block_format.md.
 * @throws RangeError if it is no such stream, or ends too soon
 */
export function unpackLz4Legacy(packed: Uint8Array): Uint8Array {
  const view = new DataView(packed.buffer, packed.byteOffset, packed.byteLength);
  if (view.getUint32(0, true) !== legacyMagic) throw new RangeError('not an LZ4 legacy stream');
  const blocks: Uint8Array[] = [];
  for (let at = 4; at + 4 <= packed.length;) {
    const length = view.getUint32(at, true);
    at += 4;
    if (at + length > packed.length) throw new RangeError('an LZ4 block ends too soon');
    blocks.push(unpackBlock(packed.subarray(at, at + length)));
    at += length;
  }
  return Buffer.concat(blocks);
}

/** Sequences of: token, literals, offset back into what was unpacked, length of the match there. */
function unpackBlock(packed: Uint8Array): Uint8Array {
  const out = new Uint8Array(blockSize);
  let from = 0;
  let to = 0;

  const octet = (): number => {
    const value = packed[from++];
    if (value === undefined) throw new RangeError('an LZ4 sequence ends too soon');
    return value;
  };
  /** a length of four bits; fifteen means that more is to be added, until an octet is not 255 */
  const extended = (nibble: number): number => {
    let length = nibble;
    if (nibble === 15) for (let more = 255; more === 255; length += more) more = octet();
    return length;
  };

  while (from < packed.length) {
    const token = octet();
    const literals = extended(token >> 4);
    if (from + literals > packed.length) throw new RangeError('LZ4 literals end too soon');
    out.set(packed.subarray(from, from + literals), to);
    from += literals;
    to += literals;
    if (from >= packed.length) break; // the last sequence has no match
    const offset = octet() | (octet() << 8);
    const length = extended(token & 15) + 4;
    if (offset === 0 || offset > to || to + length > blockSize)
      throw new RangeError('an LZ4 match points nowhere');
    if (offset >= length) out.copyWithin(to, to - offset, to - offset + length);
    else for (let i = 0; i < length; i++) out[to + i] = out[to + i - offset]!; // it repeats itself
    to += length;
  }
  return out.subarray(0, to);
}
