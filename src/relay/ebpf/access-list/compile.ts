import { type AccessList, type AccessRule, directions } from '../../../domain/port-profile.ts';
import { concerns } from '../../contract/policy.ts';
import {
  addressCovers,
  isIpv6,
  keyNumbers,
  nameOf,
  questions,
  type Interval,
  type Key,
  type Question,
} from './covers.ts';
import { Vector, VectorPool, type Class } from './vectors.ts';

/** From this key on (to the next interval's) the rules of the class are open. */
export interface Step {
  readonly from: Key;
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
  readonly allowed: Vector;
}

export function compile({ rules, otherwise, sets }: AccessList): Tables {
  const words = Math.max(1, Math.ceil(rules.length / 64));
  const pool = new VectorPool(words);
  const vectorOf = (is: (rule: AccessRule) => boolean) =>
    new Vector(
      words,
      rules.flatMap((rule, i) => (is(rule) ? [i] : [])),
    );
  const classOf = (is: (rule: AccessRule) => boolean) => pool.classOf(vectorOf(is));
  const dimension = (question: Question): Dimension | null => {
    const groups = groupsOf(rules, question);
    if (!groups.length) return null;
    const open = vectorOf((rule) => question.asked(rule) === null);
    return { key: question.key, steps: stepsOf(pool, open, groups, question.end), none: 0, other: 0 };
  };
  const addressDimensions = (field: 'source' | 'destination'): Dimension[] => {
    const covers = new Map<string, ReturnType<typeof addressCovers>>();
    const coverOf = (rule: AccessRule) => {
      const name = nameOf(rule[field]!);
      const known = covers.get(name) ?? addressCovers(rule[field]!, sets);
      covers.set(name, known);
      return known;
    };
    const of = (version: 'ipv4' | 'ipv6') =>
      dimension({
        key: keyNumbers[field] + (version === 'ipv6' ? isIpv6 : 0),
        end: version === 'ipv6' ? 1n << 128n : 2 ** 32,
        asked: (rule) => (rule[field] ? nameOf(rule[field]) : null),
        cover: (rule) => coverOf(rule)[version],
      });
    const has = (version: 'ipv4' | 'ipv6') => [...covers.values()].some((cover) => cover[version].length > 0);
    const [ipv4, ipv6] = [of('ipv4'), of('ipv6')];
    if (!ipv4 || !ipv6) return [];
    const none = classOf((rule) => !rule[field]);
    const all = classOf(() => true);
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
    start: directions.map((direction) => classOf((rule) => concerns(rule.direction, direction))),
    dimensions,
    pool,
    allowed: vectorOf(({ action }) => action === 'allow'),
  };
}

/** Rules that leave the same keys open. */
interface Group {
  readonly members: number[];
  readonly cover: readonly Interval[];
}

function groupsOf(rules: readonly AccessRule[], question: Question): Group[] {
  const groups = new Map<string | number, Group>();
  rules.forEach((rule, i) => {
    const asked = question.asked(rule);
    if (asked === null) return;
    let group = groups.get(asked);
    if (!group) {
      group = { members: [], cover: merged(question.cover(rule)) };
      groups.set(asked, group);
    }
    group.members.push(i);
  });
  return [...groups.values()];
}

/** `open`: the rules that do not ask, which it takes for its own; `end`: above all keys. */
function stepsOf(pool: VectorPool, open: Vector, groups: readonly Group[], end: Key): Step[] {
  const borders: { readonly at: Key; readonly members: readonly number[] }[] = [];
  for (const { members, cover } of groups)
    for (const { from, end: to } of cover) {
      borders.push({ at: from, members });
      if (to < end) borders.push({ at: to, members });
    }
  borders.sort((a, b) => compare(a.at, b.at));
  const steps: Step[] = [];
  for (let i = 0, from: Key = 0; ;) {
    for (; i < borders.length && borders[i]!.at <= from; i++) open.toggle(borders[i]!.members);
    const found = pool.classOf(open);
    if (steps.at(-1)?.class !== found) steps.push({ from, class: found });
    if (i === borders.length) return steps;
    from = borders[i]!.at;
  }
}

/** The same keys as ascending intervals that do not touch. */
function merged(intervals: readonly Interval[]): Interval[] {
  const result: Interval[] = [];
  for (const next of intervals.toSorted((a, b) => compare(a.from, b.from))) {
    const last = result.at(-1);
    if (!last || next.from > last.end) result.push(next);
    else if (next.end > last.end) result[result.length - 1] = { from: last.from, end: next.end };
  }
  return result;
}

function compare(a: Key, b: Key): number {
  return a < b ? -1 : Number(a > b);
}
