import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { BenchError } from './report.ts';

/** @throws BenchError for the first of these programs that is not installed */
export function needTools(names: readonly string[]): void {
  const directories = (process.env['PATH'] ?? '').split(':');
  for (const name of names)
    if (!directories.some((directory) => existsSync(join(directory, name))))
      throw new BenchError(`the benchmark needs ${name}: run "scripts/setup bench"`);
}
