import { LocalSocketError } from '../local/socket-path.ts';
import { Failure } from '../base/failure.ts';

/** Who serves a local socket. */
export interface Server {
  readonly socket: string;
  /** "no lab is up" */
  readonly absent: string;
  /** the command that starts him */
  readonly start: string;
}

/** What a call of the server's socket comes to. @throws Failure that says how to start him, if he does not run */
export async function ask<T>(
  { socket, absent, start }: Server,
  answer: (socket: string) => Promise<T>,
): Promise<T> {
  try {
    return await answer(socket);
  } catch (error) {
    if (!(error instanceof LocalSocketError && error.unserved)) throw error;
    throw new Failure(`${absent} (nobody serves ${socket}); "${start}" starts it`);
  }
}
