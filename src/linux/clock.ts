import type { Timestamp } from '../domain/migration.ts';
import { libc } from './libc.ts';

const realtime = 0;
const threadCpu = 3;
const timespec = new Uint8Array(16);
const view = new DataView(timespec.buffer);

/** Now, by CLOCK_REALTIME: the clock that kernel receive time stamps and QMP events use. */
export function now(): Timestamp {
  libc().clock_gettime(realtime, timespec);
  return Number(view.getBigInt64(0, true)) * 1e6 + Math.round(Number(view.getBigInt64(8, true)) / 1000);
}

/** Now in ms, by CLOCK_MONOTONIC: what the protocol machines and the data plane (ktime) count in. */
export function monotonicMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

/** What this thread has used of the CPU so far, in ms: unlike the time on the wall, it does not depend on who else runs. */
export function threadMs(): number {
  libc().clock_gettime(threadCpu, timespec);
  return Number(view.getBigInt64(0, true)) * 1e3 + Number(view.getBigInt64(8, true)) / 1e6;
}

/** A moment of CLOCK_MONOTONIC (ns) as a time stamp, by today's difference of the two clocks. */
export function fromMonotonic(ns: bigint): Timestamp {
  return now() - Math.round(Number(process.hrtime.bigint() - ns) / 1000);
}

/** The monotonic clock and the event loop's timers, as the protocol's driver wants them. */
export const systemClock = {
  now: monotonicMs,
  at(time: number, action: () => void): () => void {
    const timer = setTimeout(action, Math.max(0, time - monotonicMs()));
    return () => clearTimeout(timer);
  },
};
