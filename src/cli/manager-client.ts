import type { Command } from 'commander';
import type { ApiClient } from '../client/client.ts';
import { defaultListen } from '../manager/listen.ts';
import { Failure } from '../base/failure.ts';

/** What a command that asks the manager is told of it. */
export interface ManagerOptions {
  manager: string;
  token?: string;
}

export function withManager(command: Command): Command {
  return command
    .option(
      '--manager <url>',
      'http://HOST:PORT or unix:/PATH (or HAIRPIN_MANAGER)',
      process.env['HAIRPIN_MANAGER'] ?? `http://${defaultListen}`,
    )
    .option('--token <token>', 'if the manager wants one (or HAIRPIN_TOKEN)', process.env['HAIRPIN_TOKEN']);
}

export async function withClient(
  { manager, token }: ManagerOptions,
  body: (api: ApiClient) => Promise<void>,
): Promise<void> {
  const api = await clientOf(manager, token);
  try {
    await body(api);
  } finally {
    api.close();
  }
}

async function clientOf(manager: string, token: string | undefined): Promise<ApiClient> {
  const { ApiClient } = await import('../client/client.ts');
  try {
    return new ApiClient(manager, { token });
  } catch (error) {
    throw new Failure(`--manager: ${(error as Error).message}`, 2);
  }
}
