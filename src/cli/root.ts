import { Failure } from '../base/failure.ts';

/** @throws Failure off Linux, and without root; `why` tells what it is needed for */
export function needRoot(why: string): void {
  if (process.platform !== 'linux')
    throw new Failure(`${why}: that needs Linux, and this is ${process.platform}`);
  if (process.getuid?.() !== 0) throw new Failure(`${why}: that needs root`);
}
