import { readdirSync, statSync, watch, type FSWatcher } from 'node:fs';
import { join } from 'node:path';
import { Invalid } from '../../base/invalid.ts';
import type { Timestamp } from '../../domain/migration.ts';
import type { HypervisorEvent, HypervisorWatcher } from '../event.ts';
import { Attendant } from './attendant.ts';

export interface DirectoryOptions {
  /** which files are monitors for us: ".ev" makes "web1.ev" the monitor of VM web1 */
  readonly suffix: string;
  readonly emit: (event: HypervisorEvent) => void;
  /** Called with one line about a monitor that could not be had or was lost, and about the directory's end and return. */
  readonly problem: (message: string) => void;
  readonly now: () => Timestamp;
  /** how long QEMU may take to greet before a line says that it is waited for */
  readonly slowMs?: number;
  readonly nicsEveryMs?: number;
  /** how often it is looked whether the directory is the one that is watched, and whether a file was overlooked */
  readonly lookEveryMs?: number;
}

export interface DirectoryWatcher extends HypervisorWatcher {
  /** Takes up no VM any more, and goes on with those that it has until they end. */
  retire(): void;
}

/** The system tells of a file at once; a directory that is moved, or mounted over, makes no event at all. */
const defaultLookEveryMs = 1000;

/**
 * Watches every VM whose monitor socket is in `directory` or appears there, also when the directory is made anew.
 * @throws Invalid if the directory cannot be watched
 */
export function watchDirectory(directory: string, options: DirectoryOptions): DirectoryWatcher {
  return new Watch(directory, options);
}

class Watch implements DirectoryWatcher {
  readonly #directory: string;
  readonly #options: DirectoryOptions;
  readonly #attendants = new Map<string, Attendant>();
  readonly #timer: NodeJS.Timeout;
  #changes: FSWatcher | null;
  /** device and inode of the directory that is watched */
  #identity: string | null;
  #retired = false;

  constructor(directory: string, options: DirectoryOptions) {
    this.#directory = directory;
    this.#options = options;
    try {
      this.#identity = identityOf(directory);
      this.#changes = this.#watch();
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      throw new Invalid(
        `monitor directory ${directory}: ${code === 'ENOENT' ? 'it does not exist; create it, or name the directory of the VMs’ monitor sockets' : code}`,
      );
    }
    this.#timer = setInterval(() => this.#look(), options.lookEveryMs ?? defaultLookEveryMs);
    this.#list();
  }

  close(): void {
    this.retire();
    for (const attendant of this.#attendants.values()) attendant.close();
  }

  retire(): void {
    this.#retired = true;
    clearInterval(this.#timer);
    this.#changes?.close();
  }

  /** @throws an Error of the system's */
  #watch(): FSWatcher {
    const changes = watch(this.#directory, (_, file) => {
      // a directory's own end is told by its own name
      this.#look();
      if (file !== null) this.#notice(file);
    });
    changes.on('error', () => this.#lose());
    return changes;
  }

  #lose(): void {
    this.#changes?.close();
    this.#changes = null;
  }

  /** Whether the directory is still the one that is watched; one that was made anew is watched instead. */
  #look(): void {
    if (this.#retired) return;
    const { problem } = this.#options;
    const identity = identityOrNone(this.#directory);
    if (identity !== this.#identity) {
      this.#lose();
      if (identity === null)
        problem(`${this.#directory}: the monitor directory is gone; it is watched again when it is back`);
      this.#identity = identity;
    }
    if (identity === null) return;
    if (!this.#changes)
      try {
        this.#changes = this.#watch();
        problem(`${this.#directory}: the monitor directory was made anew; it is watched again`);
      } catch {
        this.#identity = null; // gone again
        return;
      }
    this.#list();
  }

  #list(): void {
    for (const file of filesIn(this.#directory)) if (!this.#attendants.has(file)) this.#notice(file);
  }

  #notice(file: string): void {
    const { suffix } = this.#options;
    if (this.#retired || !file.endsWith(suffix)) return;
    const known = this.#attendants.get(file);
    if (known) return known.lookAgain();
    const attendant = new Attendant(join(this.#directory, file), {
      ...this.#options,
      fallbackName: file.slice(0, -suffix.length),
      ended: () => this.#attendants.delete(file),
    });
    this.#attendants.set(file, attendant);
    attendant.attend();
  }
}

function identityOf(directory: string): string {
  const { dev, ino } = statSync(directory);
  return `${dev}:${ino}`;
}

function identityOrNone(directory: string): string | null {
  try {
    return identityOf(directory);
  } catch {
    return null;
  }
}

function filesIn(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    return []; // removed since, or no directory: the next look tells
  }
}
