import type { ApiClient } from '../client/client.ts';
import type { Migration } from '../domain/migration.ts';
import type { Toolstack } from './toolstack.ts';
import type { LabVm } from './vm.ts';

export interface Ending {
  /** Resolves as soon as the VSI's first migration that begins from now on has ended. */
  readonly over: Promise<unknown>;
  /** How it ended, with all that was told of it since; null if it has not ended, nothing is waited for. */
  report(): Promise<Migration | null>;
  /** Stops waiting. */
  close(): void;
}

/** Watches the manager for the end of the migration that is about to begin. */
export function watchEnding(toolstack: Toolstack, { plan: { vsiId } }: LabVm): Ending {
  const { api } = toolstack;
  const since = toolstack.timestamp();
  const stop = new AbortController();
  const found = Promise.withResolvers<Migration>();
  let ended: Migration | null = null;
  const look = (migration: Migration) => {
    const [first = 0] = Object.values(migration.times);
    if (ended || migration.vsiId !== vsiId || first < since || !over.has(migration.state)) return;
    ended = migration;
    found.resolve(migration);
  };
  const watching = api.watch(
    'migrations',
    null,
    (event) => {
      if (event.kind === 'list') for (const { value } of event.items) look(value);
      if (event.kind === 'put') look(event.value);
    },
    stop.signal,
  );
  watching.catch(() => {}); // `report` tells that nothing was heard
  return {
    over: found.promise,
    async report() {
      return ended && (await newest(api, ended));
    },
    close: () => stop.abort(),
  };
}

/** The VM's own stop and resume may have been told after the release. */
async function newest(api: ApiClient, migration: Migration): Promise<Migration> {
  return (await api.get('migrations', migration.id))?.value ?? migration;
}

const over: ReadonlySet<Migration['state']> = new Set(['released', 'aborted', 'failed']);
