export type ArchiveEntry =
  | { readonly kind: 'directory'; readonly path: string }
  | {
      readonly kind: 'file';
      readonly path: string;
      readonly content: Uint8Array;
      readonly executable: boolean;
    };

/** A cpio archive in the "newc" format, owned by root, for the kernel to unpack (initramfs buffer format). */
export function newcArchive(entries: readonly ArchiveEntry[]): Uint8Array {
  const parts = entries.flatMap((entry, i) =>
    entry.kind === 'directory'
      ? record(i + 1, entry.path, 0o040755, new Uint8Array())
      : record(i + 1, entry.path, entry.executable ? 0o100755 : 0o100644, entry.content),
  );
  return Buffer.concat([...parts, ...record(0, 'TRAILER!!!', 0, new Uint8Array())]);
}

function record(inode: number, path: string, mode: number, content: Uint8Array): Uint8Array[] {
  const name = Buffer.from(`${path}\0`);
  const links = 1;
  const fields = [inode, mode, 0, 0, links, 0, content.length, 0, 0, 0, 0, name.length, 0];
  const header = `070701${fields.map((field) => field.toString(16).padStart(8, '0')).join('')}`;
  return [padded(Buffer.concat([Buffer.from(header), name])), padded(content)];
}

/** Names with their header, and contents, end at multiples of four octets. */
function padded(bytes: Uint8Array): Uint8Array {
  const rest = bytes.length % 4;
  return rest === 0 ? bytes : Buffer.concat([bytes, new Uint8Array(4 - rest)]);
}
