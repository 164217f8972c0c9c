import { readdirSync, watch } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { Invalid } from '../../domain/invalid.ts';
import type { Timestamp } from '../../domain/migration.ts';
import type { HypervisorEvent, HypervisorWatcher } from '../event.ts';
import { watchMonitor } from './monitor-watcher.ts';
import { QmpError } from './qmp-client.ts';

export interface DirectoryOptions {
  /** which files are monitors for us: ".ev" makes "web1.ev" the monitor of VM web1 */
  readonly suffix: string;
  readonly emit: (event: HypervisorEvent) => void;
  /** Called with one line about a monitor that could not be had or was lost, and about the directory's end. */
  readonly problem: (message: string) => void;
  readonly now: () => Timestamp;
  readonly timeoutMs?: number;
}

interface Monitor {
  /** null while it is being attached to */
  watcher: HypervisorWatcher | null;
  /** the directory's entry has changed since: it may be another VM's by now */
  changed: boolean;
}

/** QEMU binds its socket a moment before it listens, and is told of by the file in between. */
const connectAttempts = 20;
const connectPauseMs = 5;

/**
 * Watches every VM whose monitor socket is in `directory` or appears there.
 * @throws Invalid if the directory cannot be watched
 */
export function watchDirectory(directory: string, options: DirectoryOptions): HypervisorWatcher {
  const { suffix, emit, problem, now, timeoutMs } = options;
  const monitors = new Map<string, Monitor>();
  let closed = false;

  const notice = (file: string): void => {
    if (closed || !file.endsWith(suffix)) return;
    const known = monitors.get(file);
    if (known) known.changed = true;
    else void attach(file);
  };

  const attach = async (file: string): Promise<void> => {
    const monitor: Monitor = { watcher: null, changed: false };
    monitors.set(file, monitor);
    try {
      const watcher = await patiently(
        () =>
          watchMonitor(join(directory, file), {
            fallbackName: file.slice(0, -suffix.length),
            emit: (event) => {
              if (!closed) emit(event);
            },
            ended: () => release(file, monitor),
            now,
            ...(timeoutMs === undefined ? {} : { timeoutMs }),
          }),
        () => closed,
      );
      if (closed) watcher.close();
      else monitor.watcher = watcher;
    } catch (error) {
      release(file, monitor);
      if (!(error instanceof QmpError)) throw error;
      if (!closed && !isUnserved(error)) problem(error.message);
    }
  };

  /** Lets go of a monitor; the next VM of that name may have taken its place meanwhile. */
  const release = (file: string, monitor: Monitor): void => {
    monitors.delete(file);
    if (monitor.changed && !closed && list(directory).includes(file)) notice(file);
  };

  const changes = open(directory, (file) => notice(file));
  changes.on('error', (error) => problem(`${directory}: ${error.message}; new VMs there go unnoticed`));
  list(directory).forEach(notice);

  return {
    close() {
      closed = true;
      changes.close();
      for (const { watcher } of monitors.values()) watcher?.close();
    },
  };
}

function open(directory: string, changed: (file: string) => void) {
  try {
    return watch(directory, (_, file) => {
      if (file !== null) changed(file);
    });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new Invalid(
      `monitor directory ${directory}: ${code === 'ENOENT' ? 'it does not exist; create it, or name the directory of the VMs’ monitor sockets' : code}`,
    );
  }
}

function list(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    return []; // removed since; `watch` tells
  }
}

/** Nobody serves it: left over from a VM that is no more or ends right now, or not served yet. */
const unserved = new Set(['ENOENT', 'ECONNREFUSED', 'ECONNRESET', 'EPIPE', 'EOF']);

async function patiently<T>(body: () => Promise<T>, giveUp: () => boolean): Promise<T> {
  for (let attempt = 1; ; attempt++)
    try {
      return await body();
    } catch (error) {
      if (!isUnserved(error) || attempt === connectAttempts || giveUp()) throw error;
      await wait(connectPauseMs);
    }
}

function isUnserved(error: unknown): boolean {
  return error instanceof QmpError && error.code !== null && unserved.has(error.code);
}
