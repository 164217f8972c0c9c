import { unpackLz4Legacy } from './lz4.ts';

/**
 * The ELF kernel within a bzImage, unpacked: QEMU starts it by PVH, and the guest is spared to unpack it itself, which
 * an emulated CPU takes most of a second for. The offsets are the Linux boot protocol's (2.08 and later;
 * Documentation/arch/x86/boot.rst): setup_sects, payload_offset, payload_length.
 * @throws RangeError unless the payload is LZ4, as Debian's is
 */
export function unpackKernel(bzImage: Uint8Array): Uint8Array {
  const view = new DataView(bzImage.buffer, bzImage.byteOffset, bzImage.byteLength);
  const protectedMode = (view.getUint8(0x1f1) + 1) * 512;
  const start = protectedMode + view.getUint32(0x248, true);
  const lengthWithTrailer = view.getUint32(0x24c, true);
  // the build appends the unpacked size to what it packs, in four octets
  return unpackLz4Legacy(bzImage.subarray(start, start + lengthWithTrailer - 4));
}
