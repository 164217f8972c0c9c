import { benchControl, hasLldpad, type ControlReport } from '../bench/control/control.ts';
import { round } from '../bench/report.ts';
import { conditionsText, finish, measured, type BenchOptions } from './bench-report.ts';
import { Failure } from '../base/failure.ts';
import { table } from './output.ts';

export async function measureControl(options: BenchOptions): Promise<void> {
  const report = await measured((stop) => {
    if (!hasLldpad()) throw new Failure('the benchmark needs lldpad: install the package "lldpad"');
    return benchControl(options.quick, stop);
  });
  finish(report, options, controlText);
}

function controlText(report: ControlReport): string {
  const { answerMs, lldpadAnswerMs, signature, sequential1000, burst1000, draft, scale10000 } = report;
  const { signedAnswerMs, unsignedAnswerMs, signUs, verifyUs } = signature;
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
      ['a station of ours, in turn', 'p50', 'p99'],
      [
        ['signed both ways', `${signedAnswerMs.p50} ms`, `${signedAnswerMs.p99} ms`],
        ['unsigned', `${unsignedAnswerMs.p50} ms`, `${unsignedAnswerMs.p99} ms`],
        ['what it costs', `${round(signedAnswerMs.p50 - unsignedAnswerMs.p50, 3)} ms`, ''],
      ],
    ),
    `a signature costs ${signUs} µs to make and ${verifyUs} µs to verify`,
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
