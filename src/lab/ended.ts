import type { ChildProcess } from 'node:child_process';

/** How a process came to its end, "SIGKILL" or "exit 1"; null while it runs. */
export function endOf({ exitCode, signalCode }: ChildProcess): string | null {
  return signalCode ?? (exitCode === null ? null : `exit ${exitCode}`);
}
