import { readSync } from 'node:fs';

const standardInput = 0;
const pauseMs = 10;

/** All of standard input, however slowly it comes: where nothing is ready yet, a pipe may say so instead of waiting. */
export function readStandardInput(): string {
  const chunks: Buffer[] = [];
  const nobody = new Int32Array(new SharedArrayBuffer(4));
  for (;;) {
    const buffer = Buffer.alloc(65_536);
    try {
      const length = readSync(standardInput, buffer);
      if (length === 0) return Buffer.concat(chunks).toString('utf8');
      chunks.push(buffer.subarray(0, length));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
      Atomics.wait(nobody, 0, 0, pauseMs);
    }
  }
}
