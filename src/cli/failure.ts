import { Failure } from '../base/failure.ts';
import { printable } from '../domain/printable.ts';

/** Says what went wrong and returns the exit code. An error nobody expected keeps its stack: that is a bug's report. */
export function explain(error: unknown): number {
  if (error instanceof Failure) {
    for (const line of error.message.split('\n')) console.error(`hairpin: ${printable(line)}`);
    return error.exitCode;
  }
  console.error('hairpin: unexpected', error);
  return 1;
}
