/** 2: the command line or a file of the user's is wrong; 130: a signal came first; 1: it did not work */
export type ExitCode = 1 | 2 | 130;

/**
 * Something that a person can mend: its message is told in one line, or in one for each thing that is wrong, without a
 * stack. Every other error is a bug or never leaves the code that throws it.
 */
export class Failure extends Error {
  override name = 'Failure';
  readonly exitCode: ExitCode;

  /** `cause`: the error that this one came of */
  constructor(message: string, exitCode: ExitCode = 1, options?: { readonly cause?: unknown }) {
    super(message, options);
    this.exitCode = exitCode;
  }
}
