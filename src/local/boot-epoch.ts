import { readFileSync } from 'node:fs';
import { replaceFile } from './replace-file.ts';

/**
 * A number for this start of an agent that is larger than those of all earlier ones: one more than the last, which is
 * in the file, or the clock's seconds if these are more. So a file that is lost does no harm as long as the clock is right.
 */
export function nextEpoch(path: string, clockSeconds: number): number {
  return Math.max(lastEpoch(path) + 1, Math.floor(clockSeconds));
}

/** For the next start. */
export function keepEpoch(path: string, epoch: number, warn: (message: string) => void): void {
  try {
    replaceFile(path, `${epoch}\n`);
  } catch (error) {
    warn(`${path} cannot be written: ${(error as Error).message}`);
  }
}

function lastEpoch(path: string): number {
  try {
    const epoch = Number(readFileSync(path, 'utf8'));
    return Number.isSafeInteger(epoch) && epoch > 0 && epoch < 0xffff_ffff ? epoch : 0;
  } catch {
    return 0;
  }
}
