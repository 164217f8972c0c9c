import { BenchError, median, note, percentile, round } from '../report.ts';
import { Answers } from './answers.ts';
import { Bed, until, type Link } from './bed.ts';
import { benchVsi } from './bridge.ts';

export interface AnswerTimes {
  readonly p50: number;
  readonly p99: number;
}

/** Of one round. */
export function answerTimes(ms: readonly number[]): AnswerTimes {
  return { p50: percentile(ms, 0.5), p99: percentile(ms, 0.99) };
}

/** Longer than lldpad's acknowledgement timer, before which it sends nothing more, and than an answer takes. */
const pauseMs = 6;
const answerWithinMs = 2_000;

/**
 * One lldpad as the station of two bridges, Hairpin's agent and lldpad in the bridge's role, asks them in turn, `rounds`
 * times `samples` associations each, one at a time. The medians over the rounds of each round's p50 and p99.
 */
export async function measureAnswerTime(
  rounds: number,
  samples: number,
  stop: AbortSignal,
): Promise<{ answerMs: AnswerTimes; lldpadAnswerMs: AnswerTimes }> {
  const links = ['eth0', 'eth1'] as const;
  const warmUp = 50;
  await using bed = await Bed.make(links, rounds * samples + warmUp);
  await bed.startLldpadBridge();
  const { by } = await bed.startStation('ratified', links);
  using hairpin = new Answers(bed.namespace('host'), 'eth0');
  using lldpad = new Answers(bed.namespace('host'), 'eth1');
  const answers = { eth0: hairpin, eth1: lldpad };

  const ask = async (link: Link, n: number): Promise<number> => {
    const vsi = benchVsi(n);
    await until(stop, () => by[link].request('associate', vsi) === 0, answerWithinMs);
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
    if (!(await until(stop, () => answers[link].timeOf(vsi.vsiId) !== null, answerWithinMs, pauseMs)))
      throw new BenchError(`no answer for VSI ${n} on ${link}`);
    return answers[link].timeOf(vsi.vsiId)!;
  };

  const measured: Record<Link, AnswerTimes[]> = { eth0: [], eth1: [] };
  for (const link of links) for (let n = 1; n <= warmUp; n++) await ask(link, n);
  for (let round = 0; round < rounds; round++)
    for (const link of links) {
      const times: number[] = [];
      for (let i = 1; i <= samples; i++) times.push(await ask(link, warmUp + round * samples + i));
      measured[link].push(answerTimes(times));
      const { p50, p99 } = measured[link].at(-1)!;
      const who = link === 'eth0' ? 'hairpin' : 'lldpad';
      note(`round ${round + 1} of ${rounds}, ${who}: p50 ${p50.toFixed(3)} ms, p99 ${p99.toFixed(3)} ms`);
    }
  return { answerMs: overRounds(measured.eth0), lldpadAnswerMs: overRounds(measured.eth1) };
}

/** The medians over the rounds. */
export function overRounds(rounds: readonly AnswerTimes[]): AnswerTimes {
  return {
    p50: round(median(rounds.map(({ p50 }) => p50)), 3),
    p99: round(median(rounds.map(({ p99 }) => p99)), 3),
  };
}
