import { globSync, readdirSync, readFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { run } from '../linux/run.ts';
import { BenchError } from './report.ts';

/**
 * The core that a benchmark's sender runs on and, as the kernel forwards in the sender's name, switch and receiver too:
 * so the time of a frame is its CPU time.
 */
export const core = cpus().length - 1;
/** For a switch that is a process of its own; the same one where there is only one. */
export const otherCore = Math.max(0, core - 1);

/** This thread, and the processes that it starts from now on, run on that core only. */
export function pinToCore(): Promise<string> {
  return run('taskset', ['-c', '-p', String(core), String(process.pid)]);
}

/**
 * How many ns of CPU time `body` took on this thread and on the core's softirq thread, with what the kernel did in
 * their names. What this thread waited for the core is no part of it.
 */
export function ownTimeOf(body: () => void): number {
  const before = processTime(softirqThread());
  const waited = waitedFor();
  const start = process.hrtime.bigint();
  body();
  const own = Number(process.hrtime.bigint() - start) - (waitedFor() - waited);
  return own + processTime(softirqThread()) - before;
}

/** ns of CPU time that all threads of a process have had. */
export function processTime(pid: number): number {
  return readdirSync(`/proc/${pid}/task`).reduce(
    (sum, thread) => sum + schedule(`/proc/${pid}/task/${thread}`)[0],
    0,
  );
}

function waitedFor(): number {
  return schedule(`/proc/self/task/${process.pid}`)[1];
}

/** ns on a core, and ns of waiting for one. */
function schedule(task: string): [ran: number, waited: number] {
  const [ran, waited] = readFileSync(`${task}/schedstat`, 'utf8').split(' ').map(Number);
  if (ran === undefined || waited === undefined)
    throw new BenchError('the kernel keeps no scheduling statistics (/proc/self/schedstat)');
  return [ran, waited];
}

let ksoftirqd: number | undefined;

function softirqThread(): number {
  return (ksoftirqd ??= findSoftirqThread());
}

function findSoftirqThread(): number {
  for (const path of globSync('/proc/[0-9]*/comm'))
    if (commandIn(path) === `ksoftirqd/${core}`) return Number(path.split('/')[2]);
  throw new BenchError(`the kernel has no ksoftirqd/${core}`);
}

/** '' if the process has ended meanwhile. */
function commandIn(path: string): string {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    return '';
  }
}
