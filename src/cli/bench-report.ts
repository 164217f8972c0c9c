import { writeFileSync } from 'node:fs';
import type { Conditions } from '../bench/report.ts';
import { interruptible } from './interrupt.ts';
import { print } from './output.ts';
import { needRoot } from './root.ts';

export interface BenchOptions {
  readonly quick: boolean;
  readonly output?: string;
  readonly json?: boolean;
}

export function measured<R>(measure: (stop: AbortSignal) => Promise<R>): Promise<R> {
  needRoot('the benchmark makes network namespaces and loads eBPF programs');
  return interruptible(measure);
}

export function finish<R extends Conditions>(
  report: R,
  { output, json }: BenchOptions,
  text: (report: R) => string,
): void {
  if (output) writeFileSync(output, `${JSON.stringify(report, null, 2)}\n`);
  print(report, json, () => text(report));
}

export function conditionsText({ machine, kernel, versions }: Conditions): string {
  return [
    `${machine.cpu}, ${machine.cores} cores, ${machine.memoryGiB} GiB; Linux ${kernel}`,
    ...Object.entries(versions).map(([name, version]) => `${name} ${version}`),
  ].join('; ');
}
