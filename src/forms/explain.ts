import type { z } from 'zod';
import { printable } from '../domain/printable.ts';

/** One thing that is wrong with a value from outside. */
export interface Problem {
  /** the key's path, "rate.fromVm.max"; "" for the whole */
  readonly field: string;
  /** what is wrong and what would be right, in one line */
  readonly error: string;
}

/** A line for each issue: "FILE: key.path: what is wrong; what would be right". Give `input` and it is quoted. */
export function explainIssues(file: string, error: z.ZodError, input?: unknown): string[] {
  return problemsOf(error, input).map((problem) => `${file}: ${lineOf(problem)}`);
}

/** "key.path: what is wrong; what would be right" */
export function lineOf({ field, error }: Problem): string {
  return field ? `${field}: ${error}` : error;
}

/**
 * What is wrong with `input`, one thing of each field; without `input`, the types of wrong values are told in place of
 * the values.
 */
export function problemsOf(error: z.ZodError, input?: unknown): Problem[] {
  const first = new Map<string, { readonly code: Issue['code']; readonly problem: Problem }>();
  for (const issue of error.issues)
    for (const problem of problemsOfIssue(issue, input)) {
      const { code = issue.code } = first.get(problem.field) ?? {};
      // what is of the wrong type has no right size; of two bounds, the schema's own comes after its type's
      if (code === issue.code) first.set(problem.field, { code, problem });
    }
  return Array.from(first.values(), ({ problem }) => problem);
}

type Issue = z.core.$ZodIssue;
type Path = readonly PropertyKey[];

function problemsOfIssue(issue: Issue, input: unknown): Problem[] {
  const { path } = issue;
  if (issue.code === 'unrecognized_keys')
    return issue.keys.map((key) => problem([...path, key], `is not a known key; ${issue.message}`));
  if (issue.code === 'invalid_union') {
    const inner = closest(issue.errors);
    if (inner)
      return inner.flatMap((each) => problemsOfIssue({ ...each, path: [...path, ...each.path] }, input));
  }
  if (issue.code === 'invalid_key') return issue.issues.map(({ message }) => problem(path, message));
  if (issue.code === 'custom') return [problem(path, issue.message)];
  const right = rightOf(issue);
  const text = right ? `${wrongOf(issue, input)}; ${right} would be right` : issue.message;
  return [problem(path, text)];
}

/** The alternative of a union that fitted farthest, if one fitted at all. */
function closest(alternatives: readonly Issue[][]): Issue[] | undefined {
  return alternatives.find((issues) =>
    issues.every(({ code, path }) => path.length > 0 || !['invalid_type', 'invalid_value'].includes(code)),
  );
}

/** Undefined where the schema's own message says it best. */
function rightOf(issue: Issue): string | undefined {
  switch (issue.code) {
    case 'invalid_type':
      return typeNames[issue.expected] ?? issue.expected;
    case 'invalid_value':
      return list(issue.values.map((value) => JSON.stringify(value)));
    case 'too_small':
      return `${issue.inclusive ? 'at least' : 'more than'} ${issue.minimum}${unitOf(issue.origin)}`;
    case 'too_big':
      return `${issue.inclusive ? 'at most' : 'less than'} ${issue.maximum}${unitOf(issue.origin)}`;
    case 'invalid_union': {
      if ('options' in issue) return list(issue.options.map((option) => JSON.stringify(option)));
      const rights = issue.errors.map(([first]) => first && rightOf(first));
      return list(rights.filter((right) => right !== undefined));
    }
    default:
      return undefined;
  }
}

function wrongOf(issue: Issue, input: unknown): string {
  if (issue.message.endsWith('received undefined')) return 'is missing';
  const value = issue.input ?? valueAt(input, issue.path);
  if (value !== undefined) return `is ${quote(value)}`;
  if (input !== undefined) return 'is missing';
  const received = /received (\w+)$/.exec(issue.message)?.[1];
  if (received) return `is ${typeNames[received] ?? received}`;
  return issue.code === 'too_small'
    ? 'is too small'
    : issue.code === 'too_big'
      ? 'is too big'
      : 'does not fit';
}

const typeNames: Readonly<Record<string, string>> = {
  string: 'a text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'a mapping',
  record: 'a mapping',
};

function unitOf(origin: string): string {
  return origin === 'string' ? ' characters' : origin === 'array' || origin === 'set' ? ' entries' : '';
}

function list(words: readonly string[]): string {
  return words.length < 2 ? (words[0] ?? '') : `${words.slice(0, -1).join(', ')} or ${words.at(-1)}`;
}

function quote(value: unknown): string {
  if (Array.isArray(value)) return value.length > 0 ? `a list of ${value.length}` : 'an empty list';
  if (typeof value === 'object' && value !== null) return 'a mapping';
  return JSON.stringify(value) ?? String(value);
}

function valueAt(input: unknown, path: Path): unknown {
  let value = input;
  for (const key of path) {
    if (typeof value !== 'object' || value === null) return undefined;
    value = (value as Record<PropertyKey, unknown>)[key];
  }
  return value;
}

/** Long values are cut and control characters shown, so that a line stays a line. */
function problem(path: Path, error: string): Problem {
  return { field: oneLine(path.map(String).join('.')), error: oneLine(error) };
}

function oneLine(text: string): string {
  const shown = printable(text);
  return shown.length > 400 ? `${shown.slice(0, 200)} … ${shown.slice(-199)}` : shown;
}
