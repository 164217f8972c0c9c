import { chmodSync, closeSync, openSync } from 'node:fs';

/**
 * Lets nobody but the own user read a database: the file, which is made if it is not there, and what SQLite keeps beside
 * it. (SQLite gives those the mode of the database; an earlier Hairpin left them as they came.)
 */
export function makePrivate(path: string): void {
  closeSync(openSync(path, 'a', 0o600));
  for (const suffix of ['', '-wal', '-shm', '-journal'])
    try {
      chmodSync(path + suffix, 0o600);
    } catch (error) {
      // it is not there, or another user's, which then is his to say
      if (!['ENOENT', 'EPERM'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
    }
}
