import { createInterface } from 'node:readline/promises';
import { printable } from '../domain/printable.ts';
import { Failure } from '../base/failure.ts';

/**
 * Asks before something is done that cannot be taken back.
 * @throws Failure unless somebody at a terminal says yes; where nobody is there to ask, `unasked` says what would do
 */
export async function confirm(warning: string, unasked: string): Promise<void> {
  if (!process.stdin.isTTY || !process.stdout.isTTY) throw new Failure(`${warning}; ${unasked}`);
  const terminal = createInterface({ input: process.stdin, output: process.stdout });
  const answer = await terminal.question(`${printable(warning)}. Go on? [y/N] `);
  terminal.close();
  if (!/^y(es)?$/i.test(answer.trim())) throw new Failure('nothing was changed');
}
