import { z } from 'zod';
import { explainIssues } from '../forms/explain.ts';
import { serveLocal } from '../local/socket-server.ts';
import { callLocal } from '../local/socket-client.ts';
import { strict } from '../forms/strict.ts';
import { Invalid } from '../base/invalid.ts';
import { strategies } from '../domain/migration.ts';
import type { Lab, LabStatus } from './lab.ts';
import type { MigrationRun } from './migrate.ts';

const move = strict({
  vm: z.string(),
  host: z.string(),
  strategy: z.enum(strategies).default('profile-first'),
});
export type Move = z.input<typeof move>;

/** Serves a lab that is up to `hairpin lab status|migrate|down`; resolves when it is to go down. */
export async function serveLab(lab: Lab, socket: string, stop: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  if (stop.aborted) return;
  stop.addEventListener('abort', () => resolve(), { once: true });
  if (stop.aborted) resolve(); // while it came up
  let busy: Promise<unknown> = Promise.resolve();
  const served = await serveLocal(socket, {
    status: () => Promise.resolve(lab.status()),
    migrate: (body) => {
      const parsed = move.safeParse(body);
      if (!parsed.success) throw new Invalid(explainIssues('migrate', parsed.error, body).join('; '));
      const { vm, host, strategy } = parsed.data;
      // one at a time: two measured migrations at once would measure each other
      const run = busy.then(() => lab.migrate(vm, host, strategy));
      busy = run.catch(() => {});
      return run;
    },
    down: () => {
      resolve();
      return Promise.resolve({ pid: process.pid });
    },
  });
  await promise;
  served.close();
}

/** The client's side of `serveLab`. @throws LocalSocketError if no lab is up, or with the lab's own words */
export function labClient(socket: string) {
  return {
    status: () => callLocal(socket, 'status') as Promise<LabStatus>,
    migrate: (wish: Move) => callLocal(socket, 'migrate', wish) as Promise<MigrationRun>,
    /** Resolves, before it is down, with the process that takes it down. */
    down: () => callLocal(socket, 'down') as Promise<{ pid: number }>,
  };
}
