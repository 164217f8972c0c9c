import { renameSync, writeFileSync } from 'node:fs';

/** Whoever reads it meanwhile reads the old text or the new one. @throws what the file system says */
export function replaceFile(path: string, text: string): void {
  writeFileSync(`${path}.new`, text, { mode: 0o600 });
  renameSync(`${path}.new`, path);
}
