import { parseArgs } from 'node:util';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { fuzz } from './kit/protocol/fuzz.ts';

/*
 * npm run fuzz [-- --frames N] [-- --seed S]
 *
 * Mutated frames, also signed ones, against decoders and machines, in blocks of 100,000 with a seed each: S, S + 1 … A thread does it, so that
 * this one sees it when a frame is never done with. What fails is replayed with its block's seed and --frames 100000, and
 * belongs into test/fixtures/crashers.
 */

const block = 100_000;
/** A block takes about 7 s. */
const patience = 120_000;
/** In octets, from the first block to the last. */
const mayGrow = 16e6;

interface Done {
  readonly seed: number;
  readonly frames: number;
  /** in octets, after the block */
  readonly heap: number;
  readonly failure?: string;
}

if (isMainThread) watch();
else attack(workerData as { seed: number; frames: number });

function attack({ seed, frames }: { seed: number; frames: number }): void {
  for (let done = 0; done < frames; done += block) {
    const report = { seed: seed + done / block, frames: Math.min(block, frames - done) };
    const failure = attempt(report.seed, report.frames);
    globalThis.gc?.();
    const message: Done = { ...report, heap: process.memoryUsage().heapUsed, ...(failure && { failure }) };
    parentPort!.postMessage(message, []);
    if (failure) return;
  }
}

function attempt(seed: number, frames: number): string | null {
  try {
    fuzz(seed, frames);
    return null;
  } catch (error) {
    const { message, cause } = error as Error;
    return `${message}\n${cause instanceof Error ? cause.stack : ''}`;
  }
}

function watch(): void {
  const { values } = parseArgs({ options: { frames: { type: 'string' }, seed: { type: 'string' } } });
  const frames = Number(values.frames ?? 10_000_000);
  const seed = Number(values.seed ?? Date.now() % 1_000_000_000);
  if (!Number.isSafeInteger(frames) || frames < 1 || !Number.isSafeInteger(seed) || seed < 0)
    return fail('--frames and --seed take whole numbers, like --frames 10000000 --seed 7');
  console.log(`fuzz: ${frames} frames, seed ${seed}`);
  const started = performance.now();
  const seconds = () => Math.round((performance.now() - started) / 1000);
  let [total, first] = [0, 0];
  const stuck = () => fail(`seed ${seed + total / block}: a frame is not done with for ${patience / 1000} s`);
  let timer = setTimeout(stuck, patience);
  new Worker(import.meta.filename, { workerData: { seed, frames } }).on('message', (done: Done) => {
    clearTimeout(timer);
    if (done.failure) fail(done.failure);
    total += done.frames;
    first ||= done.heap;
    const megabytes = Math.round(done.heap / 1e6);
    if (total % (10 * block) === 0 || total === frames)
      console.log(`fuzz: ${total} of ${frames} frames, ${seconds()} s, heap ${megabytes} MB`);
    if (done.heap > first + mayGrow) fail(`seed ${done.seed}: the heap grew to ${megabytes} MB`);
    if (total < frames) timer = setTimeout(stuck, patience);
  });
}

function fail(message: string): never {
  console.error(`fuzz: ${message}`);
  process.exit(1);
}
