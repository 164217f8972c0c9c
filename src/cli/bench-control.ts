import type { Command } from 'commander';
import type { ControlReport } from '../bench/control/control.ts';
import { benchmark, conditionsText, finish, measured, type BenchOptions } from './benchmark.ts';
import { Failure } from './failure.ts';
import { table } from './output.ts';

/** `hairpin bench control` */
export function controlBenchCommand(): Command {
  return benchmark(
    'control',
    'answers to associations, against lldpad: how soon, how many, how many VSIs',
  ).action(async (options: BenchOptions) => {
    const { benchControl, hasLldpad } = await import('../bench/control/control.ts');
    const report = await measured((stop) => {
      if (!hasLldpad()) throw new Failure('the benchmark needs lldpad: install the package "lldpad"');
      return benchControl(options.quick, stop);
    });
    finish(report, options, controlText);
  });
}

function controlText(report: ControlReport): string {
  const { answerMs, lldpadAnswerMs, sequential1000, burst1000, draft, scale10000 } = report;
  const many = (what: string, { ms, lost }: ControlReport['burst1000']) => [what, `${ms} ms`, `${lost} lost`];
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
    conditionsText(report),
  ].join('\n\n');
}
