import { accessSync, constants, writeFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { Command, InvalidArgumentError, Option } from 'commander';
import type { Conditions } from '../bench/report.ts';
import { interruptible } from './interrupt.ts';
import { print } from './output.ts';
import { needRoot } from './root.ts';

export interface BenchOptions {
  readonly quick: boolean;
  readonly output?: string;
  readonly json?: boolean;
}

/** A subcommand of `hairpin bench`, with what they all can be told. */
export function benchmark(name: string, description: string): Command {
  return new Command(name)
    .description(description)
    .option('--quick', 'a run that only shows that it works', false)
    .addOption(new Option('--output <file>', 'write the report there too').argParser(writable))
    .option('--json', 'print JSON');
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

/** To be told after the benchmark that its report cannot be written would be late. */
function writable(path: string): string {
  try {
    accessSync(dirname(resolve(path)), constants.W_OK);
  } catch {
    throw new InvalidArgumentError(
      'a file in a directory that is there and can be written to would be right.',
    );
  }
  return path;
}
