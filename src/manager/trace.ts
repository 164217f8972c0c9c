import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';

/**
 * What a manager leaves beside its database, so that the next one knows that there was one: a file with the database's
 * identity. Its name begins with a dot: who deletes "manager.db*" leaves it there.
 */
export class Trace {
  readonly path: string;

  constructor(database: string) {
    this.path = join(dirname(database), `.${basename(database)}.identity`);
  }

  /** The identity of the database that was here last; null: there was none. */
  read(): string | null {
    try {
      return readFileSync(this.path, 'utf8').trim();
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
      throw error;
    }
  }

  leave(identity: string): void {
    writeFileSync(`${this.path}.new`, `${identity}\n`, { mode: 0o600 });
    renameSync(`${this.path}.new`, this.path);
  }
}
