import { printable } from '../domain/printable.ts';

/** Something the user can mend: printed as one line, without a stack. */
export class Failure extends Error {
  override name = 'Failure';
  /** 2: the command line or a file of the user's is wrong; 130: a signal came first; 1: it did not work */
  readonly exitCode: 1 | 2 | 130;

  constructor(message: string, exitCode: 1 | 2 | 130 = 1) {
    super(message);
    this.exitCode = exitCode;
  }
}

const expected = new Set([
  'ApiError',
  'BenchError',
  'CommandError',
  'Failure',
  'GuestError',
  'Invalid',
  'LabError',
  'LldpadError',
  'LocalSocketError',
  'ManagerError',
  'ProcessError',
  'QmpError',
  'RelayError',
  'StoreError',
  'SystemError',
]);

/** Whether the message is for the user, who can mend it; the stack of any other error is a bug's report. */
export function isExpected(error: unknown): error is Error {
  return error instanceof Error && expected.has(error.name);
}

/** Says what went wrong and returns the exit code. An error nobody expected keeps its stack: that is a bug's report. */
export function explain(error: unknown): number {
  if (isExpected(error)) {
    for (const line of error.message.split('\n')) console.error(`hairpin: ${printable(line)}`);
    if (error instanceof Failure) return error.exitCode;
    return error.name === 'Invalid' ? 2 : 1;
  }
  console.error('hairpin: unexpected', error);
  return 1;
}
