/** QMP is JSON, one object per line, CR LF at the end (qmp-spec, 2.1). */
export interface LineSplitter {
  /** Takes what was read and returns the lines it completes; null once a line is longer than `limit`. */
  push(chunk: string): string[] | null;
}

/** @param limit UTF-16 units a line may have; what is held never exceeds it */
export function lineSplitter(limit: number): LineSplitter {
  let rest = '';
  return {
    push(chunk) {
      const lines = (rest + chunk).split('\n');
      rest = lines.pop()!;
      if (rest.length > limit || lines.some((line) => line.length > limit)) {
        rest = '';
        return null;
      }
      return lines;
    },
  };
}
