import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';

/**
 * Calls `tick` about each `intervalMs` (may be below 1) until the returned function is called. Node's own timers have
 * steps of a millisecond and are up to one late; a thread that waits on a futex is some 0.1 ms late.
 */
export function startTicker(intervalMs: number, tick: () => void): () => void {
  const thread = new Worker(new URL(import.meta.url), { workerData: { tickerIntervalMs: intervalMs } });
  thread.on('message', tick);
  return () => void thread.terminate();
}

function run(intervalMs: number, tick: () => void): never {
  const cell = new Int32Array(new SharedArrayBuffer(4));
  for (let next = performance.now() + intervalMs; ; next += intervalMs) {
    const now = performance.now();
    if (now > next) next = now; // stopped meanwhile: the ticks in between are gone
    else Atomics.wait(cell, 0, 0, next - now);
    tick();
  }
}

const { tickerIntervalMs } = (workerData ?? {}) as { tickerIntervalMs?: number };
if (!isMainThread && tickerIntervalMs !== undefined)
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread's port, not a window
  run(tickerIntervalMs, () => parentPort?.postMessage(null));
