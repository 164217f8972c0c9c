/** The earliest of some deadlines in milliseconds; null where there is none. */
export function earliest(...deadlines: (number | null)[]): number | null {
  let first: number | null = null;
  for (const deadline of deadlines)
    if (deadline !== null && (first === null || deadline < first)) first = deadline;
  return first;
}
