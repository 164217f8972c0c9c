import type { AccessList, AccessRule } from '../../../domain/port-profile.ts';
import { directions } from '../../../domain/port-profile.ts';
import { concerns } from '../../policy.ts';
import { addressCovers, isIpv6, keyNumbers, questions, type Interval, type Question } from './covers.ts';
import { RuleSet, Sweep, VectorPool, type Class } from './vectors.ts';

/** From this key on (to the next interval's) the rules of the class are open. */
export interface Step {
  readonly from: bigint;
  readonly class: Class;
}

export interface Dimension {
  readonly key: number;
  /** ascending, the first from 0 on */
  readonly steps: readonly Step[];
  /** of a frame without any address, and of one of the other IP version; 0 where the key is no address */
  readonly none: Class;
  readonly other: Class;
}

/** A list as the data plane asks it; bpf/access-list.h says how. */
export interface Tables {
  readonly rules: number;
  readonly otherwise: 'allow' | 'deny';
  /** for each direction, in the data plane's order */
  readonly start: readonly Class[];
  readonly dimensions: readonly Dimension[];
  readonly pool: VectorPool;
  readonly allowed: RuleSet;
}

export function compile({ rules, otherwise, sets }: AccessList): Tables {
  const pool = new VectorPool();
  const select = (is: (rule: AccessRule) => boolean) => {
    const set = new RuleSet(Math.max(1, Math.ceil(rules.length / 64)));
    rules.forEach((rule, i) => is(rule) && set.add(i));
    return set;
  };
  const classOf = (set: RuleSet) => new Sweep(pool, set).class;
  const dimension = (question: Question): Dimension | null => {
    const open = select((rule) => question.asked(rule) === null);
    const groups = groupsOf(rules, question);
    if (!groups.length) return null;
    return {
      key: question.key,
      steps: stepsOf(pool, open, groups, 1n << BigInt(question.bits)),
      none: 0,
      other: 0,
    };
  };
  const addressDimensions = (field: 'source' | 'destination'): Dimension[] => {
    const covers = new Map<string, ReturnType<typeof addressCovers>>();
    const coverOf = (rule: AccessRule) => {
      const name = JSON.stringify(rule[field]);
      const known = covers.get(name) ?? addressCovers(rule[field]!, sets);
      covers.set(name, known);
      return known;
    };
    const of = (version: 'ipv4' | 'ipv6') =>
      dimension({
        key: keyNumbers[field] + (version === 'ipv6' ? isIpv6 : 0),
        bits: version === 'ipv6' ? 128 : 32,
        asked: (rule) => rule[field] ?? null,
        cover: (rule) => coverOf(rule)[version],
      });
    const has = (version: 'ipv4' | 'ipv6') => [...covers.values()].some((cover) => cover[version].length > 0);
    const [ipv4, ipv6] = [of('ipv4'), of('ipv6')];
    if (!ipv4 || !ipv6) return [];
    const none = classOf(select((rule) => !rule[field]));
    const all = classOf(select(() => true));
    if (!has('ipv6')) return [{ ...ipv4, none, other: none }];
    if (!has('ipv4')) return [{ ...ipv6, none, other: none }];
    return [
      { ...ipv4, none, other: all },
      { ...ipv6, none: all, other: all },
    ];
  };
  const dimensions = [
    ...addressDimensions('source'),
    ...addressDimensions('destination'),
    ...questions.map(dimension).filter((it) => it !== null),
  ];
  return {
    rules: rules.length,
    otherwise,
    start: directions.map((direction) => classOf(select((rule) => concerns(rule.direction, direction)))),
    dimensions,
    pool,
    allowed: select(({ action }) => action === 'allow'),
  };
}

/** Rules that leave the same keys open. */
interface Group {
  readonly members: RuleSet;
  readonly cover: readonly Interval[];
}

function groupsOf(rules: readonly AccessRule[], question: Question): Group[] {
  const groups = new Map<string, Group>();
  rules.forEach((rule, i) => {
    const asked = question.asked(rule);
    if (asked === null) return;
    const name = JSON.stringify(asked);
    let group = groups.get(name);
    if (!group) {
      group = { members: new RuleSet(Math.ceil(rules.length / 64)), cover: merged(question.cover(rule)) };
      groups.set(name, group);
    }
    group.members.add(i);
  });
  return [...groups.values()];
}

/** `open`: the rules that do not ask; `end`: what no key reaches. */
function stepsOf(pool: VectorPool, open: RuleSet, groups: readonly Group[], end: bigint): Step[] {
  const borders = groups
    .flatMap(({ members, cover }) =>
      cover.flatMap(({ from, to }) => [
        { at: from, members },
        { at: to + 1n, members },
      ]),
    )
    .filter(({ at }) => at < end);
  borders.sort((a, b) => compare(a.at, b.at));
  const sweep = new Sweep(pool, open);
  const steps: Step[] = [];
  for (let i = 0, from = 0n; ;) {
    for (; borders[i]?.at === from; i++) sweep.toggle(borders[i]!.members);
    if (steps.at(-1)?.class !== sweep.class) steps.push({ from, class: sweep.class });
    if (i === borders.length) return steps;
    from = borders[i]!.at;
  }
}

/** The same keys as ascending intervals that do not touch. */
function merged(intervals: readonly Interval[]): Interval[] {
  const result: Interval[] = [];
  for (const next of intervals.toSorted((a, b) => compare(a.from, b.from))) {
    const last = result.at(-1);
    if (!last || next.from > last.to + 1n) result.push(next);
    else if (next.to > last.to) result[result.length - 1] = { from: last.from, to: next.to };
  }
  return result;
}

function compare(a: bigint, b: bigint): number {
  return a < b ? -1 : Number(a > b);
}
