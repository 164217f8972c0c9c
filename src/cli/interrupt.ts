import { Failure } from '../base/failure.ts';

/** What a person, or a terminal that goes away, ends a command with. */
const endings = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** Aborted by a signal, which ends the process no longer: what was set up is to be taken down first. */
export function interruption(): AbortSignal {
  const stop = new AbortController();
  for (const signal of endings) process.on(signal, () => stop.abort(new Failure('interrupted', 130)));
  return stop.signal;
}

/**
 * Runs what is not done before it has come to its end. What fails after a signal fails because of it (a terminal sends
 * it to our children as well), and is no other error. @throws Failure "interrupted"
 */
export async function interruptible<R>(
  body: (stop: AbortSignal) => Promise<R>,
  stop = interruption(),
): Promise<R> {
  try {
    return await body(stop);
  } catch (error) {
    stop.throwIfAborted();
    throw error;
  }
}
