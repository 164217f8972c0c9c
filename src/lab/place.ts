import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Whether this process may make namespaces: root on Linux. Everybody else gets the simulated lab. */
export function mayUseKernel(): boolean {
  return process.platform === 'linux' && process.getuid?.() === 0;
}

/** As people are told of it; "lab" is the one that nobody has named. */
export function labName(id: string): string {
  return id === 'lab' ? 'the lab' : `lab ${id}`;
}

/** Where a lab keeps its sockets, logs and files while it is up. */
export function labDirectory(id: string): string {
  return mayUseKernel() ? `/run/hp-${id}` : join(tmpdir(), `hp-${id}-${process.getuid?.() ?? 0}`);
}

export function labSocket(id: string): string {
  return join(labDirectory(id), 'lab.sock');
}
