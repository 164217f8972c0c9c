import { Command } from 'commander';
import type { ControlReport } from '../bench/control/control.ts';
import { Failure } from './failure.ts';
import { print, table } from './output.ts';
import { needRoot } from './root.ts';

interface BenchOptions {
  json?: boolean;
  quick?: boolean;
}

/** `hairpin bench …` */
export function benchCommand(): Command {
  const bench = new Command('bench').description('measure Hairpin against what it replaces, on this machine');
  bench.addCommand(controlCommand());
  return bench;
}

function controlCommand(): Command {
  return benchmark(
    'control',
    'answers to associations, against lldpad: how soon, how many, how many VSIs',
  ).action(async ({ json, quick = false }: BenchOptions) => {
    needRoot('the benchmark makes network namespaces and loads the data plane into the kernel');
    const { benchControl, hasLldpad } = await import('../bench/control/control.ts');
    if (!hasLldpad()) throw new Failure('the benchmark needs lldpad: install the package "lldpad"');
    const report = await interruptible((stop) => benchControl(quick, stop));
    print(report, json, () => controlText(report));
  });
}

function benchmark(name: string, description: string): Command {
  return new Command(name)
    .description(description)
    .option('--json', 'print JSON')
    .option('--quick', 'a run that only shows that it works');
}

/** Lets a measurement take down what it has set up before Ctrl-C ends it. */
async function interruptible<T>(measure: (stop: AbortSignal) => Promise<T>): Promise<T> {
  const stop = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.on(signal, () => stop.abort(new Failure('interrupted')));
  return measure(stop.signal);
}

function controlText(report: ControlReport): string {
  const { answerMs, lldpadAnswerMs, sequential1000, burst1000, draft, scale10000 } = report;
  const many = (what: string, { ms, lost }: ControlReport['burst1000']) => [what, `${ms} ms`, `${lost} lost`];
  const { machine, kernel, versions } = report;
  return [
    table(
      ['from request to answer', 'p50', 'p99'],
      [
        ['hairpin', `${answerMs.p50} ms`, `${answerMs.p99} ms`],
        ['lldpad as the bridge', `${lldpadAnswerMs.p50} ms`, `${lldpadAnswerMs.p99} ms`],
      ],
    ),
    table(
      ['associations by lldpad', 'in all', 'without an answer'],
      [
        many('in sequence, ratified', sequential1000),
        many('at once, ratified', burst1000),
        many('in sequence, draft 0.2', draft.sequential1000),
        many('at once, draft 0.2', draft.burst1000),
      ],
    ),
    table(
      ['VSIs', 'ports', 'in all', 'heap per VSI', 'resident per VSI', 'last against first'],
      [
        [
          scale10000.vsis,
          scale10000.ports,
          `${scale10000.ms} ms`,
          `${scale10000.bytesPerVsi} octets`,
          `${scale10000.rssBytesPerVsi} octets`,
          scale10000.lastVsFirst,
        ],
      ],
    ),
    [
      `${machine.cpu}, ${machine.cores} cores, ${machine.memoryGiB} GiB; Linux ${kernel}`,
      ...Object.entries(versions).map(([name, version]) => `${name} ${version}`),
    ].join('; '),
  ].join('\n\n');
}
