import { printable, printableLines } from '../domain/printable.ts';

/** A result that did not get where it was to go is no result; that a reader has heard enough is nothing to tell. */
export function failIfUnwritten(): void {
  process.stdout.once('error', ({ code, message }: NodeJS.ErrnoException) => {
    if (code === 'EPIPE') return;
    console.error(`hairpin: standard output: ${message.replace(/^\w+: ([^,]*).*$/, '$1')}`);
    process.exitCode = 1;
  });
}

/** Prints lines. Much of what is printed comes from others, from the wire too: nothing of it may act on the terminal. */
export function say(lines: string): void {
  console.log(printableLines(lines));
}

/** Prints a result: as JSON where that is asked for, otherwise as `text` has it for people. */
export function print(result: unknown, json: boolean | undefined, text: () => string): void {
  say(json ? JSON.stringify(result, null, 2) : text());
}

/** A tenant's totals, in bits per second. */
export const tenantHeading = ['TENANT', 'FROM VM bit/s', 'TO VM bit/s', 'GUARANTEED bit/s'] as const;

/** Rows under a heading, in columns. */
export function table(heading: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  const all = [heading, ...rows.map((row) => row.map((cell) => printable(String(cell))))];
  const widths = heading.map((_, i) => Math.max(...all.map((row) => row[i]!.length)));
  return all
    .map((row) =>
      row
        .map((cell, i) => cell.padEnd(widths[i]!))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
