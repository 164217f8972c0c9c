import { spawn } from 'node:child_process';
import { Failure } from '../base/failure.ts';

/** A command that could not be started or ended with a failure; the message has its own last words. */
export class CommandError extends Failure {
  override name = 'CommandError';
}

/** Runs a command to its end and returns its standard output. @throws CommandError */
export function run(command: string, args: readonly string[], input = ''): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: 'pipe' });
    let output = '';
    let complaint = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (complaint += text));
    child.on('error', (error: NodeJS.ErrnoException) =>
      reject(
        new CommandError(
          error.code === 'ENOENT' ? `${command}: not installed` : `${command}: ${error.message}`,
        ),
      ),
    );
    child.on('close', (code) => {
      if (code === 0) resolve(output);
      else
        reject(new CommandError(`${command} ${args.join(' ')}: ${lastWords(complaint) || `exit ${code}`}`));
    });
    child.stdin.on('error', () => {}); // a child that ends early closes it; its exit code tells the story
    child.stdin.end(input);
  });
}

/** What a failing command says at length is cut to a line. */
function lastWords(complaint: string): string {
  const line = complaint.trim().replaceAll(/\s*\n\s*/g, '; ');
  return line.length > 300 ? `${line.slice(0, 300)} …` : line;
}

/** Several `ip` commands in one process, in order, stopping at the first that fails; in a namespace if one is named. */
export async function ip(namespace: string | null, lines: readonly string[]): Promise<void> {
  await run('ip', [...(namespace ? ['-n', namespace] : []), '-batch', '-'], `${lines.join('\n')}\n`);
}
