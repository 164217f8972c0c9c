import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

export const executable = fileURLToPath(new URL('../../../hairpin', import.meta.url));

export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  /** without the last line's end */
  readonly stderr: string;
}

export interface HairpinOptions {
  /** a command line that runs another one */
  readonly under?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

/** Runs `hairpin ARGS…` to its end, with nothing to read. */
export function hairpin(
  args: readonly string[],
  { under = [], env = {} }: HairpinOptions = {},
): Promise<Ended> {
  const [command, ...rest] = [...under, executable, ...args];
  return new Promise((resolve, reject) => {
    const child = spawn(command!, rest, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...env },
    });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, stdout, stderr: stderr.trimEnd() }));
  });
}

/** Runs a command as a user who may do nothing in particular. */
export const asNobody: readonly string[] =
  process.getuid?.() === 0 ? ['setpriv', '--reuid=65534', '--clear-groups'] : [];
