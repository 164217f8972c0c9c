import { cpus, release, totalmem } from 'node:os';
import { Failure } from '../base/failure.ts';
import { run } from '../linux/run.ts';

/** What was to be measured did not happen. */
export class BenchError extends Failure {
  override name = 'BenchError';
}

/** Where and with what a benchmark ran: part of every report, as a figure without it says nothing. */
export interface Conditions {
  readonly at: string;
  readonly machine: { readonly cpu: string; readonly cores: number; readonly memoryGiB: number };
  readonly kernel: string;
  /** by program or Debian package */
  readonly versions: Readonly<Record<string, string>>;
}

/** The Debian packages' versions are the peers' that the benchmark runs against. */
export async function conditions(packages: readonly string[]): Promise<Conditions> {
  const processors = cpus();
  const versions: Record<string, string> = { node: process.versions.node };
  for (const name of packages) versions[name] = await versionOf(name);
  return {
    at: new Date().toISOString(),
    machine: {
      cpu: processors[0]?.model ?? 'unknown',
      cores: processors.length,
      memoryGiB: round(totalmem() / 2 ** 30, 1),
    },
    kernel: release(),
    versions,
  };
}

async function versionOf(name: string): Promise<string> {
  return run('dpkg-query', ['-W', '-f', '${Version}', name]).catch(() => 'not from a Debian package');
}

/** The value that `share` (0 to 1) of all values do not exceed. @throws RangeError without values */
export function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  const value = sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)];
  if (value === undefined) throw new RangeError('there is no percentile of nothing');
  return value;
}

export function median(values: readonly number[]): number {
  return percentile(values, 0.5);
}

export function round(value: number, digits: number): number {
  return Number(value.toFixed(digits));
}

/** A line for people who wait; results go to standard output. */
export function note(line: string): void {
  console.error(line);
}
